// Data sets.
#include <algorithm>
#include <atomic>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include <ATen/ATen.h>

#include "blip3u/dataset.h"
#include "kinds.h"

namespace blip3u::conformance {

namespace {

constexpr Split splits[] = {Split::train, Split::test};
constexpr std::int64_t most_samples = 2000;  // of a chapter that are looked at
constexpr std::size_t most_chapters = 4;

const char* name_of(Split split) { return split == Split::train ? "training" : "test"; }

/// The next sample, or what is wrong with it: samples may be corrupt, but only as Error says so.
struct Read {
  std::optional<Sample> sample;
  bool corrupt = false;

  bool ended() const { return !sample && !corrupt; }
};
Read read(Reader& reader) {
  Read result;
  result.corrupt = true;
  const Raised raised = raised_by_bad_input([&] {
    result.sample = reader.next();
    result.corrupt = false;
  });
  if (const std::string problem = raised.any(); !problem.empty()) {
    fail("a reader threw {}; throw blip3u::Error for a corrupt sample", problem);
  }
  return result;
}

bool equal(const Sample& a, const Sample& b) {
  const auto same_part = [](const Part& x, const Part& y) {
    return x.type == y.type && x.text == y.text && x.image == y.image && x.weight == y.weight;
  };
  const auto same_message = [&](const Message& x, const Message& y) {
    return x.role == y.role && std::ranges::equal(x.content, y.content, same_part);
  };
  return a.id == b.id && std::ranges::equal(a.messages, b.messages, same_message) && a.captions == b.captions &&
         a.labels == b.labels &&
         std::ranges::equal(a.images, b.images, [](const Tensor& x, const Tensor& y) { return x.equal(y); });
}

/// One that was read; a corrupt one has no messages.
Sample sample_of(Read&& read) { return read.sample ? std::move(*read.sample) : Sample{}; }

/// The first samples of a chapter.
std::vector<Sample> samples_of(const Dataset& dataset, Split split, std::int64_t chapter, std::int64_t most) {
  const auto reader = dataset.open(split, chapter);
  std::vector<Sample> samples;
  while (std::ssize(samples) < most) {
    Read next = read(*reader);
    if (next.ended()) break;
    samples.push_back(sample_of(std::move(next)));
  }
  return samples;
}

void for_some_chapters(const Dataset& dataset, const std::function<void(Split, std::int64_t, const Chapter&)>& work) {
  for (const Split split : splits) {
    const auto chapters = dataset.chapters(split);
    for (std::size_t i = 0; i < std::min(chapters.size(), most_chapters); ++i) {
      work(split, static_cast<std::int64_t>(i), chapters[i]);
    }
  }
}

void samples_declared(const Subject& subject) {
  const auto dataset = subject.make<Dataset>();
  if (dataset->chapters(Split::train).empty()) fail("it has no chapter to train on");
  std::map<std::string, Split> ids;
  for (const Split split : splits) {
    std::set<std::string> names;
    for (const Chapter& chapter : dataset->chapters(split)) {
      if (!names.insert(chapter.name).second) fail("two {} chapters are called `{}`", name_of(split), chapter.name);
    }
    for_some_chapters(*dataset, [&](Split of, std::int64_t index, const Chapter& chapter) {
      if (of != split) return;
      const auto samples = samples_of(*dataset, split, index, most_samples);
      for (const Sample& sample : samples) {
        if (sample.messages.empty()) continue;
        if (const std::string problem = problem_of(sample); !problem.empty()) {
          fail("the sample `{}` is not as content.h says: {}", sample.id, problem);
        }
        const auto [earlier, fresh] = ids.emplace(sample.id, split);
        if (fresh) continue;
        fail("the id `{}` stands twice, in {}; make ids unique within the data set", sample.id,
             earlier->second == split ? "one split" : "both splits");
      }
      const auto read = std::ssize(samples);
      const bool whole = read < most_samples;
      if (chapter.samples >= 0 && (whole ? read != chapter.samples : read > chapter.samples)) {
        fail("chapter `{}` is said to have {} samples, but {} were read", chapter.name, chapter.samples, read);
      }
    });
  }
  const auto* const classes = dynamic_cast<const Classes*>(dataset.get());
  if (classes == nullptr) return;
  const auto known = classes->classes();
  if (std::set<std::string>(known.begin(), known.end()).size() != known.size()) fail("a class stands twice");
}

/// Reads a chapter, to its end if that is near, and one further.
void read_on(const Dataset& dataset, Split split, std::int64_t index, const Chapter& chapter) {
  const auto reader = dataset.open(split, index);
  Sample before;
  std::vector<Tensor> pictures;  // copies of what it was read with
  for (std::int64_t place = 0; place <= most_samples; ++place) {
    Read next = read(*reader);
    if (!std::ranges::equal(before.images, pictures, [](const Tensor& x, const Tensor& y) { return x.equal(y); })) {
      fail("the pictures of `{}` change when its reader reads on; give each sample memory of its own", before.id);
    }
    if (next.ended()) {
      if (read(*reader).ended()) return;
      fail("a reader of chapter `{}` that was read to its end goes on when it is asked again", chapter.name);
    }
    before = sample_of(std::move(next));
    pictures.clear();
    for (const Tensor& picture : before.images) pictures.push_back(picture.clone());
  }
}

void readers(const Subject& subject) {
  const auto dataset = subject.make<Dataset>();
  for_some_chapters(*dataset, [&](Split split, std::int64_t index, const Chapter& chapter) {
    const auto samples = samples_of(*dataset, split, index, 32);
    const auto count = std::ssize(samples);
    for (const std::int64_t skipped : {std::int64_t{1}, count / 2, count - 1}) {
      if (skipped < 0 || skipped >= count) continue;
      const auto reader = dataset->open(split, index);
      reader->skip(skipped);
      Read next = read(*reader);
      const bool ended = next.ended();
      if (!ended && equal(sample_of(std::move(next)), samples[static_cast<std::size_t>(skipped)])) continue;
      fail("after skip({}) a reader of chapter `{}` does not give sample {}", skipped, chapter.name, skipped);
    }
    const auto skipping = dataset->open(split, index);
    skipping->skip(std::numeric_limits<std::int32_t>::max());
    for (int time = 0; time < 2; ++time) {
      if (!read(*skipping).ended()) fail("a reader that skipped everything is not at its end");
    }
    read_on(*dataset, split, index, chapter);
    // Several threads may read one data set, each with a reader of its own.
    std::atomic<bool> alike = true;
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 3; ++thread) {
      threads.emplace_back([&] {
        try {
          const auto own = samples_of(*dataset, split, index, count);
          if (!std::ranges::equal(own, samples, equal)) alike = false;
        } catch (...) {
          alike = false;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    if (!alike) fail("readers of chapter `{}` in several threads do not give what one alone gives", chapter.name);
  });
}

void indexed(const Subject& subject) {
  const auto dataset = subject.make<Dataset>();
  const auto* const index = dynamic_cast<const Indexed*>(dataset.get());
  if (index == nullptr) skip("it has no index");
  for (const Split split : splits) {
    std::int64_t place = 0;
    const auto chapters = std::ssize(dataset->chapters(split));
    for (std::int64_t chapter = 0; chapter < chapters && place < most_samples; ++chapter) {
      for (const Sample& sample : samples_of(*dataset, split, chapter, most_samples - place)) {
        if (place >= index->samples(split)) fail("its chapters have more {} samples than its index", name_of(split));
        if (!sample.messages.empty() && !equal(index->sample(split, place), sample)) {
          fail("{} sample {} of the index is not what its readers give there", name_of(split), place);
        }
        ++place;
      }
    }
    if (place < most_samples && place != index->samples(split)) {
      fail("its index has {} {} samples, its chapters have {}", index->samples(split), name_of(split), place);
    }
  }
}

void repeatable(const Subject& subject) {
  const auto first = subject.make<Dataset>(), second = subject.make<Dataset>({.seed = 8});
  const auto require = [](bool same, const char* what) {
    if (same) return;
    fail("{} of two data sets with equal parameters, or of two calls, differ; let them depend on nothing else", what);
  };
  require(first->fingerprint() == second->fingerprint(), "fingerprints");
  if (first->fingerprint().empty()) fail("its fingerprint is empty; hash all that decides what it returns");
  const auto same_chapter = [](const Chapter& a, const Chapter& b) {
    return a.name == b.name && a.samples == b.samples;
  };
  for (const Split split : splits) {
    const auto chapters = first->chapters(split);
    require(std::ranges::equal(chapters, first->chapters(split), same_chapter), "chapters");
    require(std::ranges::equal(chapters, second->chapters(split), same_chapter), "chapters");
  }
  for_some_chapters(*first, [&](Split split, std::int64_t index, const Chapter&) {
    const auto samples = samples_of(*first, split, index, 64);
    require(std::ranges::equal(samples, samples_of(*first, split, index, 64), equal), "samples");
    require(std::ranges::equal(samples, samples_of(*second, split, index, 64), equal), "samples");
  });
}

/// Samples of a split by their ids, and whether there are no others.
struct Contents {
  std::map<std::string, Sample> samples;
  bool whole = true;
};

Contents contents_of(const Dataset& dataset, Split split) {
  constexpr std::int64_t most = 256;
  Contents contents;
  std::int64_t read = 0;
  const auto chapters = std::ssize(dataset.chapters(split));
  for (std::int64_t chapter = 0; chapter < chapters && read < most; ++chapter) {
    for (Sample& sample : samples_of(dataset, split, chapter, most - read)) {
      ++read;
      if (!sample.messages.empty()) contents.samples.emplace(sample.id, std::move(sample));
    }
  }
  contents.whole = read < most;
  return contents;
}

/// Whether two hold other samples for certain, their order aside.
bool differ(const Contents& a, const Contents& b) {
  const auto holds_other = [](const Contents& one, const Contents& other) {
    return std::ranges::any_of(one.samples, [&](const auto& entry) {
      const auto found = other.samples.find(entry.first);
      return found == other.samples.end() ? other.whole : !equal(found->second, entry.second);
    });
  };
  return holds_other(a, b) || holds_other(b, a);
}

/// Values that are not the given one. The kit knows none of paths and of free texts.
std::vector<ParameterValue> other_values(const ParameterSpec& spec, const ParameterValue& given) {
  std::vector<ParameterValue> values = edges(spec);
  const auto shorter = [&]<class List>(List list) {
    if (list.empty()) return;
    list.pop_back();
    values.emplace_back(std::move(list));
  };
  if (const auto* const whole = std::get_if<std::int64_t>(&given)) {
    values.emplace_back(*whole + 1);
    values.emplace_back(*whole - 1);
  } else if (const auto* const number = std::get_if<double>(&given)) {
    values.emplace_back(*number / 2);
  } else if (const auto* const texts = std::get_if<std::vector<std::string>>(&given)) {
    shorter(*texts);
  } else if (const auto* const numbers = std::get_if<std::vector<double>>(&given)) {
    shorter(*numbers);
  }
  std::erase(values, given);
  return values;
}

/// Under another value of a parameter that gives other samples, the fingerprint must be another too.
void fingerprint_follows(const Subject& subject) {
  const auto dataset = subject.make<Dataset>();
  bool any = false;
  for (const ParameterSpec& spec : subject.component().parameters) {
    if (downloads(spec)) continue;
    for (const ParameterValue& value : other_values(spec, subject.parameters().values().at(spec.name))) {
      const Overrides overrides = {{spec.name, value}};
      if (!subject.accepts(overrides)) continue;
      std::unique_ptr<Dataset> other;
      try {
        other = subject.make<Dataset>({.overrides = overrides});
      } catch (const Error&) {
        continue;  // its files have nothing for this value
      }
      any = true;
      if (other->fingerprint() != dataset->fingerprint()) continue;
      for (const Split split : splits) {
        if (!differ(contents_of(*dataset, split), contents_of(*other, split))) continue;
        fail("with another `{}` it gives other samples under the same fingerprint; hash all that decides them",
             spec.name);
      }
    }
  }
  if (!any) skip("it has no parameter of which the kit knows another value");
}

/// A class that is held out (label held_out=yes) may be asked about in training, and not made.
void held_out(const Subject& subject) {
  const auto dataset = subject.make<Dataset>();
  for_some_chapters(*dataset, [&](Split split, std::int64_t index, const Chapter&) {
    for (const Sample& sample : samples_of(*dataset, split, index, most_samples)) {
      const bool makes = std::ranges::any_of(sample.messages, [](const Message& message) {
        return std::ranges::any_of(message.content,
                                   [](const Part& part) { return part.type == Part::Type::image && part.weight > 0; });
      });
      if (split == Split::train && makes && label_of(sample, "held_out") == "yes") {
        fail("training makes the picture of `{}`, whose label `held_out` is yes; give it no weight there", sample.id);
      }
    }
  });
}

}  // namespace

void check_dataset(Recorder& recorder, const Subject& subject) {
  recorder.run("declared_output", [&] { samples_declared(subject); });
  recorder.run("repeatable", [&] { repeatable(subject); });
  recorder.run("fingerprint", [&] { fingerprint_follows(subject); });
  recorder.run("readers", [&] { readers(subject); });
  recorder.run("index", [&] { indexed(subject); });
  recorder.run("held_out", [&] { held_out(subject); });
}

}  // namespace blip3u::conformance
