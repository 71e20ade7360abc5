// How the tensors of a folder become the weights of modules.
#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "blip3u/error.h"
#include "blip3u/host.h"
#include "blip3u/module_component.h"
#include "blip3u/nn/modules.h"

namespace blip3u {

namespace {

/// What the pattern's `*` stands for in the name ("" if it has none); nothing if they do not match.
std::optional<std::string> match(std::string_view pattern, std::string_view name) {
  const auto star = pattern.find('*');
  if (star == std::string_view::npos) return pattern == name ? std::optional<std::string>("") : std::nullopt;
  const std::string_view front = pattern.substr(0, star), back = pattern.substr(star + 1);
  if (name.size() <= front.size() + back.size() || !name.starts_with(front) || !name.ends_with(back)) return {};
  return std::string(name.substr(front.size(), name.size() - front.size() - back.size()));
}

std::string expand(std::string pattern, const std::string& text) {
  if (const auto star = pattern.find('*'); star != std::string::npos) pattern.replace(star, 1, text);
  return pattern;
}

std::string shape_text(at::IntArrayRef shape) { return fmt::format("[{}]", fmt::join(shape, ",")); }

class Loading {
 public:
  Loading(torch::nn::Module& root, const BuildContext& context)
      : context_(context), weights_(*context.host->weights()) {
    for (const auto& item : root.named_parameters()) targets_.push_back({item.key(), item.value(), true});
    for (const auto& item : root.named_buffers()) targets_.push_back({item.key(), item.value(), false});
    note_deferred(root, "");
    for (const auto& item : root.named_modules("", /*include_self=*/false)) note_deferred(*item.value(), item.key());
    for (const TensorInfo& info : weights_.list()) unread_.emplace(info.name, 0);
  }

  void load(std::span<const Name> names) {
    static const Name alike[] = {{"*", "*"}};
    for (const Name& row : names.empty() ? std::span<const Name>(alike) : names) apply(row);
    for (const Target& target : targets_) {
      if (target.needed && !target.written) problems_.push_back(target.name + ": no tensor of the folder is all of it");
    }
    for (const TensorInfo& info : weights_.list()) {
      const auto left = unread_.find(info.name);
      if (left == unread_.end()) continue;
      problems_.push_back(left->second == 0 ? fmt::format("{}: nothing uses it", info.name)
                                            : fmt::format("{}: only {} of its rows are used", info.name, left->second));
    }
    if (!problems_.empty()) raise();
    context_.host->note(fmt::format("{} tensors from {}", weights_.list().size(), weights_.folder()));
  }

 private:
  struct Target {
    std::string name;
    Tensor tensor;
    bool needed;
    bool written = false;
    std::vector<Tensor> pieces = {};  // of a fused one, so far
    std::int64_t rows = 0;            // in them
    nn::Deferred* owner = nullptr;
    const nn::Deferred::Slot* slot = nullptr;
  };

  void note_deferred(torch::nn::Module& module, const std::string& name) {
    auto* const deferred = dynamic_cast<nn::Deferred*>(&module);
    if (!deferred) return;
    for (const nn::Deferred::Slot& slot : deferred->slots()) {
      const std::string full = name.empty() ? slot.name : name + "." + slot.name;
      for (Target& target : targets_) {
        if (target.name != full) continue;
        target.owner = deferred;
        target.slot = &slot;
      }
    }
  }

  void apply(const Name& row) {
    if (row.how == Name::ignored) {
      std::erase_if(unread_, [&](const auto& item) { return match(row.theirs, item.first).has_value(); });
      return;
    }
    bool matched = false;
    const bool alike = row.ours == "*";
    for (Target& target : targets_) {
      const auto star = match(row.ours, target.name);
      if (!star || (alike && !target.needed)) continue;
      matched = true;
      take(target, expand(row.theirs, *star), row.how);
    }
    if (!matched) problems_.push_back(fmt::format("{}: no weight is called that", row.ours));
  }

  void take(Target& target, const std::string& theirs, Name::How how) {
    const auto& list = weights_.list();
    const bool there =
        std::any_of(list.begin(), list.end(), [&](const TensorInfo& info) { return info.name == theirs; });
    if (!there)
      return problems_.push_back(fmt::format("{}: missing in the folder, wanted for {}", theirs, target.name));
    if (target.written) return problems_.push_back(fmt::format("{}: written twice, also by {}", target.name, theirs));
    Tensor value = weights_.view(theirs);
    if (how == Name::fused) return take_rows(target, theirs, value);
    unread_.erase(theirs);
    if (how == Name::transposed && value.dim() == 2) value = value.t();
    write(target, theirs, value);
  }

  /// As many rows as the one has left and the other still lacks.
  void take_rows(Target& target, const std::string& theirs, const Tensor& value) {
    const auto left = unread_.find(theirs);
    if (left == unread_.end() || value.dim() == 0 || value.dim() != target.tensor.dim()) {
      return problems_.push_back(fmt::format("{}: has no rows left for {}", theirs, target.name));
    }
    const std::int64_t rows = std::min(value.size(0) - left->second, target.tensor.size(0) - target.rows);
    target.pieces.push_back(value.narrow(0, left->second, rows));
    target.rows += rows;
    left->second += rows;
    if (left->second == value.size(0)) unread_.erase(left);
    if (target.rows < target.tensor.size(0)) return;
    write(target, theirs, target.pieces.size() == 1 ? target.pieces[0] : at::cat(target.pieces));
    target.pieces.clear();
  }

  void write(Target& target, const std::string& theirs, const Tensor& value) {
    if (value.sizes() != target.tensor.sizes() || value.is_floating_point() != target.tensor.is_floating_point()) {
      problems_.push_back(fmt::format("{}: {} {}, but {} is {} {}", theirs, c10::toString(value.scalar_type()),
                                      shape_text(value.sizes()), target.name,
                                      c10::toString(target.tensor.scalar_type()), shape_text(target.tensor.sizes())));
      target.written = true;  // said once
      return;
    }
    target.written = true;
    if (!target.owner) {
      target.tensor.copy_(value);
      return;
    }
    const auto type = value.is_floating_point() ? context_.dtype : value.scalar_type();
    target.owner->fill(*target.slot, value.to(context_.device, type).contiguous());
  }

  [[noreturn]] void raise() {
    constexpr std::size_t shown = 8;
    if (const std::size_t count = problems_.size(); count > shown) {
      problems_.resize(shown);
      problems_.push_back(fmt::format("and {} more", count - shown));
    }
    throw Error(fmt::format("{}: these weights do not fit the component; give it those of its architecture:\n  {}",
                            weights_.folder(), fmt::join(problems_, "\n  ")));
  }

  const BuildContext& context_;
  const Weights& weights_;
  std::vector<Target> targets_;
  std::map<std::string, std::int64_t> unread_;  // tensors of the folder not wholly used, and their rows that were
  std::vector<std::string> problems_;
};

}  // namespace

void finish_module(torch::nn::Module& root, const BuildContext& context, std::span<const Name> names) {
  const at::NoGradGuard no_grad;
  if (context.host && context.host->weights()) {
    Loading(root, context).load(names);
  } else {
    initialize_weights(root, context.seed);
  }
  root.to(context.device);
  for (const auto& tensors : {root.parameters(), root.buffers()}) {
    for (const Tensor& tensor : tensors) {
      if (tensor.is_floating_point()) tensor.set_data(tensor.to(context.dtype));
    }
  }
}

}  // namespace blip3u
