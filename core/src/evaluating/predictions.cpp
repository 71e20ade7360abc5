#include "evaluating/predictions.h"

#include <cerrno>
#include <cmath>
#include <fstream>
#include <functional>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "blip3u/error.h"
#include "blip3u/image.h"
#include "io/files.h"
#include "io/hash.h"

namespace blip3u {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

std::string dump(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

json to_json(const std::vector<Message>& messages) {
  json list = json::array();
  for (const Message& message : messages) {
    json parts = json::array();
    for (const Part& part : message.content) parts.push_back({part.text, part.image});
    list.push_back({static_cast<int>(message.role), parts});
  }
  return list;
}

/// A hash of all that decides the replies to an item, apart from the model.
std::string question_hash(const Item& item, std::uint64_t seed) {
  const TextSampling& text = item.text;
  json asked = {seed,
                item.id,
                to_json(item.messages),
                item.choices,
                {text.temperature, text.top_p, text.top_k, text.stops, text.longest},
                {item.image.negative, item.image.most},
                item.replies};
  if (!item.follow_ups.empty()) asked.push_back(to_json(item.follow_ups));
  Sha256 hash;
  hash.update(dump(asked));
  for (const Tensor& image : item.images) {
    hash.update(fmt::format("{} x {}", image.size(1), image.size(2)));
    hash.update(image);
  }
  return hash.hex().substr(0, 16);
}

/// Whether the line is one that append() writes.
bool is_line(const json& line) {
  const auto list_of = [](const json& object, const char* name, auto is_member) {
    const auto found = object.find(name);
    if (found == object.end()) return true;
    return found->is_array() && std::ranges::all_of(*found, is_member);
  };
  const auto is_string = [](const json& value) { return value.is_string(); };
  const auto is_number = [](const json& value) { return value.is_number() || value.is_null(); };
  const std::function<bool(const json&)> is_reply = [&](const json& reply) {
    return reply.is_object() && (!reply.contains("text") || reply["text"].is_string()) &&
           list_of(reply, "images", is_string) && list_of(reply, "choices", is_number) &&
           list_of(reply, "follow_ups", is_reply);
  };
  return line.is_object() && line.contains("id") && line["id"].is_string() && line.contains("replies") &&
         (!line.contains("asked") || line["asked"].is_string()) && list_of(line, "replies", is_reply);
}

}  // namespace

Predictions::Predictions(fs::path folder, std::uint64_t seed) : folder_(std::move(folder)), seed_(seed) {
  if (!fs::exists(file())) return;
  const std::string text = read_text(file());
  std::size_t number = 0;
  for (std::size_t end; (end = text.find('\n', whole_bytes_)) != std::string::npos; whole_bytes_ = end + 1) {
    ++number;
    json line = json::parse(text.data() + whole_bytes_, text.data() + end, nullptr, /*allow_exceptions=*/false);
    if (!is_line(line)) {
      throw Error(fmt::format("{}:{}: not the replies to an item; delete the line, and the item is asked again",
                              file().string(), number));
    }
    const std::string id = line["id"];
    lines_[id] = std::move(line);
  }
}

bool Predictions::has(const Item& item) const {
  const auto found = lines_.find(item.id);
  if (found == lines_.end()) return false;
  const json& line = found->second;
  if (std::cmp_not_equal(line["replies"].size(), item.replies)) return false;
  if (line.contains("asked") && line["asked"] != question_hash(item, seed_)) return false;
  return std::ranges::all_of(line["replies"], [&](const json& reply) { return is_whole(reply, item); });
}

bool Predictions::is_whole(const json& reply, const Item& item) const {
  for (const json& name : reply.value("images", json::array())) {
    if (!fs::exists(folder_ / name.get<std::string>())) return false;
  }
  const json follow_ups = reply.value("follow_ups", json::array());
  return follow_ups.size() == item.follow_ups.size() &&
         std::ranges::all_of(follow_ups, [&](const json& next) { return is_whole(next, Item()); });
}

std::vector<Output> Predictions::outputs(const Item& item) const {
  std::vector<Output> outputs;
  for (const json& reply : lines_.at(item.id)["replies"]) outputs.push_back(restored(reply));
  return outputs;
}

Output Predictions::restored(const json& reply) const {
  Output output{.text = reply.value("text", "")};
  for (const json& name : reply.value("images", json::array())) {
    output.images.push_back(to_bytes(read_image(folder_ / name.get<std::string>())));
  }
  for (const json& number : reply.value("choices", json::array())) {
    output.choices.push_back(number.is_null() ? -std::numeric_limits<double>::infinity() : number.get<double>());
  }
  for (const json& next : reply.value("follow_ups", json::array())) output.follow_ups.push_back(restored(next));
  return output;
}

void Predictions::append(const Item& item, std::span<const Output> outputs) {
  create_folder(folder_);
  json replies = json::array();
  for (std::size_t k = 0; k < outputs.size(); ++k) {
    std::size_t pictures = 0;
    const std::function<json(const Output&)> store = [&](const Output& output) {
      json reply = json::object();
      if (!output.text.empty()) reply["text"] = output.text;
      if (!output.choices.empty()) reply["choices"] = output.choices;  // what is not finite becomes null
      for (const Tensor& image : output.images) {
        const std::string name = picture_name(item, k, pictures++);
        OutputFile picture(folder_ / name);
        picture.write(encode_png(from_bytes(image)));
        picture.close();
        reply["images"].push_back(name);
      }
      for (const Output& next : output.follow_ups) reply["follow_ups"].push_back(store(next));
      return reply;
    };
    replies.push_back(store(outputs[k]));
  }
  const std::string line = dump({{"id", item.id}, {"asked", question_hash(item, seed_)}, {"replies", replies}});
  write_line(line);  // last: it vouches for the pictures
  lines_[item.id] = json::parse(line);
}

/// Ids may hold any character, names of files may not.
std::string Predictions::picture_name(const Item& item, std::size_t reply, std::size_t number) const {
  return fmt::format("{}-{}-{}.png", sha256_text(item.id).substr(0, 16), reply, number);
}

void Predictions::write_line(const std::string& line) {
  std::error_code error;
  if (fs::exists(file(), error) && fs::file_size(file(), error) > whole_bytes_) {
    fs::resize_file(file(), whole_bytes_, error);  // what a killed process began
    if (error) throw_write_error(file(), error.value());
  }
  errno = 0;
  std::ofstream stream(file(), std::ios::binary | std::ios::app);
  stream << line << '\n' << std::flush;
  if (!stream) throw_write_error(file(), errno != 0 ? errno : EIO);
  whole_bytes_ += line.size() + 1;
}

}  // namespace blip3u
