// Denoisers of codes that are wrong in one way each, and sound ones: teacher-forced with a stream, and masked.
#include <torch/torch.h>

#include "blip3u/denoiser.h"
#include "blip3u/module_component.h"

namespace blip3u::mutants {
namespace {

/// What both kinds have: a query that reads the context, a table of codes and a head.
class Codes : public ModuleComponent<Denoiser> {
 public:
  explicit Codes(const BuildContext& context) : layout_(context.wiring.features) {
    if (layout_.groups.empty()) layout_.groups = {layout_.tokens};
    const std::int64_t width = context.wiring.backbone_width;
    const auto table = [&](const char* name, at::IntArrayRef shape) {
      return register_parameter(name, learned_table(shape, 0.5, context.seed, name));
    };
    query_ = table("query", {1, width});
    table_ = table("table", {layout_.codebook + 1, width});
    places_ = table("places", {layout_.tokens, width});
    levels_ = table("levels", {layout_.depth, width});
    mix_ = register_module("mix", torch::nn::Linear(width, width));
    head_ = register_module("head", torch::nn::Linear(width, layout_.codebook));
    finish(context);
  }

  std::unique_ptr<Condition> prepare(const Given& given) override {
    Block block{.embeds = query_.expand({given.context.batch(), 1, -1}), .commit = false};
    return std::make_unique<Condition>(&given.context, given.context.append(block));
  }

 protected:
  Tensor answer(const Tensor& read, const Condition& condition) {
    return head_(torch::gelu(mix_(read + condition.tokens)));
  }

  Layout layout_;
  Tensor query_, table_, places_, levels_;

 private:
  torch::nn::Linear mix_{nullptr}, head_{nullptr};
};

/// The first level follows from the last code of the group before, a further one from the level before.
class Forced : public Codes, public Streams {
 public:
  Forced(const Parameters&, const BuildContext& context) : Codes(context) {}

  Tensor predict(const Prediction& asked) override {
    const Tensor& codes = asked.noised.codes;
    std::vector<Tensor> levels;
    for (std::int64_t level = 0; level < layout_.depth; ++level) {
      std::vector<Tensor> groups;
      std::int64_t first = 0;
      for (const std::int64_t count : layout_.groups) {
        const Tensor earlier = codes.slice(1, 0, first), own = codes.slice(1, first, first + count);
        groups.push_back(level == 0 ? before(earlier, own, codes.size(0)) : own.select(2, level - 1));
        first += count;
      }
      levels.push_back(logits(torch::cat(groups, 1), level, 0, asked.condition));
    }
    return torch::stack(levels, 2);
  }

  std::unique_ptr<Stream> stream(const Condition& condition) override {
    return std::make_unique<Levels>(*this, condition);
  }

 protected:
  /// What a group's first level is told: [B,n].
  virtual Tensor before(const Tensor& earlier, const Tensor& own, std::int64_t rows) const {
    const Tensor last = earlier.size(1) > 0 ? earlier.slice(1, -1).select(2, layout_.depth - 1)
                                            : torch::full({rows, 1}, layout_.codebook, earlier.options());
    return last.expand({-1, own.size(1)});
  }

  /// What the stream remembers of the codes that were chosen.
  virtual Tensor remembered(const Tensor& chosen) { return chosen; }

 private:
  Tensor logits(const Tensor& codes, std::int64_t level, std::int64_t first, const Condition& condition) {
    return answer(torch::embedding(table_, codes) + places_.slice(0, first, first + codes.size(1)) + levels_[level],
                  condition);
  }

  class Levels : public Stream {
   public:
    Levels(Forced& owner, const Condition& condition)
        : owner_(owner),
          condition_(condition),
          codes_(torch::zeros({condition.tokens.size(0), 0, owner.layout_.depth}, torch::kLong)) {}

    Tensor scores() override {
      const std::int64_t count = owner_.layout_.groups[group_];
      const Tensor own = torch::zeros({codes_.size(0), count, owner_.layout_.depth}, torch::kLong);
      const Tensor told = level_ == 0 ? owner_.before(codes_, own, codes_.size(0)) : chosen_.back();
      return owner_.logits(told, level_, codes_.size(1), condition_);
    }
    void push(const Tensor& chosen) override {
      chosen_.push_back(owner_.remembered(chosen));
      if (++level_ < owner_.layout_.depth) return;
      codes_ = torch::cat({codes_, torch::stack(chosen_, 2)}, 1);
      chosen_.clear();
      level_ = 0;
      ++group_;
    }
    bool done() const override { return group_ == owner_.layout_.groups.size(); }

   private:
    Forced& owner_;
    const Condition& condition_;
    Tensor codes_;
    std::vector<Tensor> chosen_;
    std::size_t group_ = 0;
    std::int64_t level_ = 0;
  };
};

class SeesItself : public Forced {
  using Forced::Forced;
  Tensor before(const Tensor&, const Tensor& own, std::int64_t) const override { return own.select(2, 0); }
};

class ForgetsChoice : public Forced {
  using Forced::Forced;
  Tensor remembered(const Tensor& chosen) override { return torch::zeros_like(chosen); }
};

/// All streams remember the choice of the one that was first.
class SharesChoice : public Forced {
  using Forced::Forced;
  Tensor remembered(const Tensor& chosen) override {
    const Tensor before = last_;
    last_ = chosen;
    return before.defined() && before.sizes() == chosen.sizes() ? before : chosen;
  }
  Tensor last_;
};

/// A place reads its own code, or the mask in its place, and the mean of all others.
class Masked : public Codes {
 public:
  Masked(const Parameters&, const BuildContext& context) : Codes(context) {}
  Tensor predict(const Prediction& asked) override {
    std::vector<Tensor> levels;
    for (std::int64_t level = 0; level < layout_.depth; ++level) {
      const Tensor own = torch::embedding(table_, entry(asked.noised.codes.select(2, level)));
      levels.push_back(answer(own + seen(own) + places_ + levels_[level], asked.condition));
    }
    return torch::stack(levels, 2);
  }

 protected:
  virtual Tensor entry(const Tensor& codes) const { return torch::where(codes < 0, layout_.codebook, codes); }
  virtual Tensor seen(const Tensor& own) const { return own.mean(1, /*keepdim=*/true); }
};

class MaskIsACode : public Masked {
  using Masked::Masked;
  Tensor entry(const Tensor& codes) const override { return codes.clamp_min(0); }
};

class SeesNoOther : public Masked {
  using Masked::Masked;
  Tensor seen(const Tensor& own) const override { return torch::zeros_like(own); }
};

/// Its codes are the last words of the backbone: it has no weights of its own.
class Shared : public Denoiser {
 public:
  Shared(const Parameters&, const BuildContext& context)
      : backbone_(backbone_of(context)), first_(context.vocabulary), layout_(context.wiring.features) {}

  std::unique_ptr<Condition> prepare(const Given& given) override {
    return std::make_unique<Condition>(&given.context);
  }

  Tensor predict(const Prediction& asked) override {
    const Tensor& codes = asked.noised.codes;
    if (!codes.defined() || codes.dim() != 3 || codes.size(1) != layout_.tokens || codes.size(2) != 1 ||
        codes.min().item<std::int64_t>() < 0) {
      throw Error(Fault::plugin, "denoiser: codes must be [B,N,1], none of them masked");
    }
    const Tensor begin = torch::zeros({codes.size(0), 1}, codes.options());
    Block block{.embeds = backbone_.embed(torch::cat({begin, codes.slice(1, 0, -1).squeeze(2) + first_}, 1)),
                .commit = false};
    return backbone_.logits(asked.condition.context->append(block)).slice(-1, first_).unsqueeze(2);
  }

 private:
  static Backbone& backbone_of(const BuildContext& context) {
    if (context.peers.backbone) return *context.peers.backbone;
    throw Error(Fault::usage, "denoiser: its codes are words of a backbone; name one");
  }

  Backbone& backbone_;
  std::int64_t first_;
  Layout layout_;
};

void check_shared(const Parameters&, Wiring& wiring) {
  if (wiring.features.codebook == 0 || wiring.features.depth > 1) {
    wiring.reject("", "it makes codes of one level; choose such an encoder");
  }
  wiring.extra_words += wiring.features.codebook;
}

constexpr const char* needs[] = {"session"};
constexpr const char* streaming[] = {"predict", "stream"};
constexpr const char* whole[] = {"predict"};

void check(const Parameters&, Wiring& wiring) {
  if (wiring.features.codebook == 0) wiring.reject("", "it makes codes; choose an encoder with codes");
}

template <class T>
constexpr ComponentDescriptor denoiser(const char* name, const char* summary, std::span<const char* const> provides,
                                       decltype(ComponentDescriptor::check) checks = check) {
  return {.kind = Kind::denoiser,
          .name = name,
          .summary = summary,
          .provides = provides,
          .needs = needs,
          .check = checks,
          .create = create<T>};
}

constexpr ComponentDescriptor components[] = {
    denoiser<Forced>("sound", "Nothing is wrong with it.", streaming),
    denoiser<SeesItself>("sees_itself", "The logits of a code are told the code.", streaming),
    denoiser<ForgetsChoice>("forgets_choice", "Its streams take every choice for code 0.", streaming),
    denoiser<SharesChoice>("shares_choice", "Its streams see each other's choices.", streaming),
    denoiser<Forced>("unlisted_stream", "Makes codes group by group, but does not say so.", whole),
    denoiser<Masked>("sound_masked", "Nothing is wrong with it.", whole),
    denoiser<Shared>("sound_shared", "Nothing is wrong with it; it makes words of the backbone.", whole, check_shared),
    denoiser<Masked>("no_stream", "Says that it makes codes group by group, but does not.", streaming),
    denoiser<MaskIsACode>("mask_is_a_code", "Reads a masked place as code 0.", whole),
    denoiser<SeesNoOther>("sees_no_other", "Masked places do not see the codes that are known.", whole),
};

}  // namespace
}  // namespace blip3u::mutants

BLIP3U_PLUGIN("mutant_code_denoisers", "0.1.0", "Apache-2.0", blip3u::mutants::components)
