#include "model/gallery.h"

#include <algorithm>
#include <utility>

#include "model/pictures.h"
#include "model/sources.h"

namespace blip3u {

Visual encode_by(const Pipeline& pipeline, const std::string& role, std::span<const Tensor> pictures) {
  return encode_pictures(dynamic_cast<Encoder&>(*pipeline.part(role)), pictures, pipeline.recipe().wiring.image_size,
                         pipeline.device());
}

Gallery::Gallery(const Pipeline& pipeline)
    : Gallery(pipeline, [&pipeline](const std::string& role, std::span<const Tensor> pictures) {
        return encode_by(pipeline, role, pictures);
      }) {}

Gallery::Gallery(const Pipeline& pipeline, Encode encode) : pipeline_(pipeline), encode_(std::move(encode)) {}

std::int64_t Gallery::add(std::span<const Tensor> pictures) {
  const std::int64_t first = std::ssize(pictures_);
  pictures_.insert(pictures_.end(), pictures.begin(), pictures.end());
  return first;
}

SeenPictures Gallery::read() {
  SeenPictures result;
  if (pictures_.empty()) return result;
  for (const std::string& role : pipeline_.recipe().pipeline.understanding) result.push_back(seen_by(role));
  return result;
}

const Visual& Gallery::seen_by(const std::string& role) {
  Seen& seen = seen_[role];
  if (seen.count < pictures_.size()) {
    Visual visual = encode_(role, std::span(pictures_).subspan(seen.count));
    visual.source = pipeline_.recipe().pipeline.source_of(role);
    seen.visual = seen.count == 0 ? std::move(visual) : joined(seen.visual, visual);
    seen.count = pictures_.size();
  }
  return seen.visual;
}

std::vector<Visual> Gallery::sources(std::size_t link, const std::vector<std::vector<std::int64_t>>& pictures) {
  if (std::ranges::all_of(pictures, &std::vector<std::int64_t>::empty)) return {};
  const Visual& seen = seen_by(pipeline_.recipe().pipeline.generation[link].target);
  return source_pictures(pipeline_.links()[link].scaled(seen), pictures);
}

}  // namespace blip3u
