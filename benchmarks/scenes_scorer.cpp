// Proves the scorer of scenes: prints how often it reads pictures right, refuses them, or reads them wrong, when they
// are clean, disturbed as decoders and files disturb them, other than described, or deformed.
#include <turbojpeg.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <map>
#include <numbers>
#include <random>
#include <ranges>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "blip3u/image.h"
#include "scenes/placing.h"
#include "scenes/render.h"
#include "scenes/rules.h"

namespace blip3u::scenes {
namespace {

// ----- Scenes

Scene random_scene(std::size_t objects, Engine& engine) {
  for (;;) {
    Scene scene{.mood = pick(engine, moods.size()), .objects = {}};
    for (std::size_t i = 0; i < objects; ++i) {
      Object object{.shape = pick(engine, shapes.size())};
      object.colour = pick(engine, colours.size());
      object.size = pick(engine, sizes.size());
      const auto found = placed(object, scene.objects, engine);
      if (!found) break;
      scene.objects.push_back(*found);
    }
    if (scene.objects.size() == objects) return scene;
  }
}

std::vector<Scene> scenes_of_every_combination(Engine& engine) {
  std::vector<Scene> scenes;
  for (std::size_t i = 0; i < shapes.size() * colours.size() * sizes.size() * moods.size(); ++i) {
    Object object{.shape = i % shapes.size()};
    object.colour = i / shapes.size() % colours.size();
    object.size = i / (shapes.size() * colours.size()) % sizes.size();
    scenes.push_back(
        {.mood = i / (shapes.size() * colours.size() * sizes.size()), .objects = {*placed(object, {}, engine)}});
  }
  return scenes;
}

// ----- Disturbances

Tensor with_noise(const Tensor& picture, double deviation, Engine& engine) {
  Tensor noise = at::empty(picture.sizes(), at::kFloat);
  std::normal_distribution<float> normal(0, static_cast<float>(deviation));
  float* const values = noise.data_ptr<float>();
  for (std::int64_t i = 0; i < noise.numel(); ++i) values[i] = normal(engine);
  return (picture.to(at::kFloat) + noise).round().clamp(0, 255).to(at::kByte);
}

Tensor blurred(const Tensor& picture, double deviation) {
  const Tensor places = at::arange(-5, 6, at::kFloat);
  Tensor weights = (-places.square() / (2 * deviation * deviation)).exp();
  weights = weights / weights.sum();
  Tensor x = at::replication_pad2d(picture.to(at::kFloat).unsqueeze(0), {5, 5, 5, 5}).transpose(0, 1);
  x = at::conv2d(at::conv2d(x, weights.view({1, 1, 1, -1})), weights.view({1, 1, -1, 1}));
  return x.transpose(0, 1).squeeze(0).round().clamp(0, 255).to(at::kByte);
}

Tensor through_jpeg(const Tensor& picture, int quality) {
  const Tensor rows = picture.permute({1, 2, 0}).contiguous();
  const auto side = static_cast<int>(picture.size(1));
  unsigned char* bytes = nullptr;
  unsigned long size = 0;  // NOLINT(google-runtime-int): turbojpeg's
  tjhandle handle = tjInitCompress();
  tjCompress2(handle, rows.const_data_ptr<std::uint8_t>(), side, 0, side, TJPF_RGB, &bytes, &size, TJSAMP_444, quality,
              0);
  tjDestroy(handle);
  const Tensor image = decode_image({reinterpret_cast<const char*>(bytes), size}, "the picture");
  tjFree(bytes);
  return to_bytes(image);
}

Tensor rescaled(const Tensor& picture, double share) {
  const std::int64_t side = picture.size(1);
  const auto small = static_cast<std::int64_t>(std::lround(share * static_cast<double>(side)));
  return to_bytes(resize_image(resize_image(from_bytes(picture), small), side));
}

// ----- Deformed shapes

using Within = std::function<bool(double u, double v)>;

/// One shape on a ground, sampled as the renderer does; places in radii from the picture's middle.
Tensor drawn(const Within& within, const Object& object, const Colour& colour, std::size_t mood, std::int64_t side) {
  Tensor picture = at::empty({3, side, side}, at::kByte);
  auto* const bytes = picture.data_ptr<std::uint8_t>();
  constexpr int fineness = 8;
  for (std::int64_t i = 0; i < side * side; ++i) {
    int hits = 0;
    for (int part = 0; part < fineness * fineness; ++part) {
      const auto place = [&](std::int64_t pixel, int within_pixel, double centre) {
        return ((static_cast<double>(pixel) + (within_pixel + 0.5) / fineness) / static_cast<double>(side) - centre) /
               radii[object.size];
      };
      hits += within(place(i % side, part % fineness, object.x), place(i / side, part / fineness, object.y)) ? 1 : 0;
    }
    const float share = static_cast<float>(hits) / (fineness * fineness);
    for (std::int64_t channel = 0; channel < 3; ++channel) {
      bytes[channel * side * side + i] =
          static_cast<std::uint8_t>(std::lround(grounds[mood][channel] * (1 - share) + colour[channel] * share));
    }
  }
  return picture;
}

struct Deformation {
  const char* name;
  std::function<Within(std::size_t shape, Engine& engine)> make;
  std::function<Colour(const Colour& colour, const Colour& another, const Colour& ground)> paint = {};
};

Colour between(const Colour& a, const Colour& b) {
  Colour middle{};
  for (std::size_t channel = 0; channel < 3; ++channel) middle[channel] = (a[channel] + b[channel]) / 2;
  return middle;
}

/// The shape less what lies beyond a straight cut, so that a quarter of it is gone.
Within cut_off(std::size_t shape, double angle) {
  std::vector<double> depths;
  constexpr int grid = 60;
  for (int i = 0; i < grid * grid; ++i) {
    const double u = (i % grid + 0.5) / grid * 2.8 - 1.4, v = (i / grid + 0.5) / grid * 2.8 - 1.4;
    if (covers(shape, u, v)) depths.push_back(u * std::cos(angle) + v * std::sin(angle));
  }
  std::ranges::sort(depths);
  const double border = depths[depths.size() * 3 / 4];
  return [=](double u, double v) { return covers(shape, u, v) && u * std::cos(angle) + v * std::sin(angle) <= border; };
}

/// The shape less a disc around a point of its rim, so large that a quarter of it is gone.
Within bitten(std::size_t shape, double angle) {
  double rim = 1.5;
  while (!covers(shape, rim * std::cos(angle), rim * std::sin(angle))) rim -= 0.02;
  const double x = rim * std::cos(angle), y = rim * std::sin(angle);
  std::vector<double> away;
  constexpr int grid = 60;
  for (int i = 0; i < grid * grid; ++i) {
    const double u = (i % grid + 0.5) / grid * 2.8 - 1.4, v = (i / grid + 0.5) / grid * 2.8 - 1.4;
    if (covers(shape, u, v)) away.push_back(std::hypot(u - x, v - y));
  }
  std::ranges::sort(away);
  const double radius = away[away.size() / 4];
  return [=](double u, double v) { return covers(shape, u, v) && std::hypot(u - x, v - y) > radius; };
}

std::vector<Deformation> deformations() {
  const auto angle = [](Engine& engine) { return 2 * std::numbers::pi * uniform(engine); };
  const auto twice = [angle](std::size_t shape, Engine& engine, double apart) -> Within {
    const double way = angle(engine), x = apart * std::cos(way), y = apart * std::sin(way);
    return [=](double u, double v) { return covers(shape, u, v) || covers(shape, u - x, v - y); };
  };
  const auto whole = [](std::size_t shape, Engine&) -> Within {
    return [=](double u, double v) { return covers(shape, u, v); };
  };
  return {
      {"a bite of 25 %", [angle](std::size_t shape, Engine& engine) { return bitten(shape, angle(engine)); }},
      {"a quarter cut off", [angle](std::size_t shape, Engine& engine) { return cut_off(shape, angle(engine)); }},
      {"doubled, half a radius apart",
       [twice](std::size_t shape, Engine& engine) { return twice(shape, engine, 0.5); }},
      {"doubled, a radius apart", [twice](std::size_t shape, Engine& engine) { return twice(shape, engine, 1.0); }},
      {"merged with another, a radius apart",
       [angle](std::size_t shape, Engine& engine) -> Within {
         const double way = angle(engine), x = std::cos(way), y = std::sin(way);
         const std::size_t other = (shape + 1 + pick(engine, shapes.size() - 1)) % shapes.size();
         return [=](double u, double v) { return covers(shape, u, v) || covers(other, u - x, v - y); };
       }},
      {"of a size between the two",
       [](std::size_t shape, Engine&) -> Within {
         return [=](double u, double v) { return covers(shape, u / 1.24, v / 1.24); };
       }},
      {"stretched by 1.4",
       [](std::size_t shape, Engine& engine) -> Within {
         const bool across = pick(engine, 2) == 0;
         return [=](double u, double v) { return covers(shape, across ? u / 1.4 : u, across ? v : v / 1.4); };
       }},
      {"with a hole of 25 %",
       [](std::size_t shape, Engine&) -> Within {
         return [=](double u, double v) { return covers(shape, u, v) && std::hypot(u, v) > 0.45; };
       }},
      {"ragged: a third of the rim's cells gone",
       [](std::size_t shape, Engine& engine) -> Within {
         const std::uint64_t seed = engine();
         return [=](double u, double v) {
           if (!covers(shape, u, v)) return false;
           const bool rim = !covers(shape, u * 1.45, v * 1.45);
           const auto cell = static_cast<std::uint64_t>(std::floor(u * 4) + 100 + 1000 * std::floor(v * 4 + 100));
           return !rim || (cell * 0x9E3779B97F4A7C15U ^ seed) % 3 != 0;
         };
       }},
      {"in a colour halfway to another", whole,
       [](const Colour& colour, const Colour& another, const Colour&) { return between(colour, another); }},
      {"half transparent", whole,
       [](const Colour& colour, const Colour&, const Colour& ground) { return between(colour, ground); }},
  };
}

// ----- Tables

struct Tally {
  std::int64_t right = 0, unreadable = 0, wrong = 0;

  void add(bool is_right, bool is_clear) { ++(is_right ? right : is_clear ? wrong : unreadable); }
  void print(const std::string& name) const {
    const auto all = static_cast<double>(right + unreadable + wrong);
    fmt::print("| {} | {:.4f} | {:.4f} | {:.4f} | {} |\n", name, static_cast<double>(right) / all,
               static_cast<double>(unreadable) / all, static_cast<double>(wrong) / all, right + unreadable + wrong);
  }
};

/// Keeps pictures for people, where they asked for a folder: the first of each row that the scorer refused or misread,
/// and of each kind of deformed shape.
class Examples {
 public:
  Examples(const char* folder, std::int64_t side) : folder_(folder), side_(side) {}

  void keep(const std::string& row, const Tensor& picture, const std::string& expected, const Reading& reading) {
    constexpr int most = 4;
    if (folder_ == nullptr || kept_[row] == most) return;
    const std::string name = fmt::format("{}/{} {} {}.png", folder_, side_, row, ++kept_[row]);
    write_png(name, from_bytes(picture));
    fmt::print(stderr, "{}\n  expected {}\n  read     {}\n", name, expected, reading.text());
  }

 private:
  const char* folder_;
  std::int64_t side_;
  std::map<std::string, int> kept_;
};

/// Every scene that differs from this one in one attribute of one object, or in its mood, or by one object.
std::vector<Scene> counterfactuals(const Scene& scene, Engine& engine) {
  std::vector<Scene> others;
  const auto change = [&](const auto& edit) {
    others.push_back(scene);
    edit(others.back());
  };
  const std::size_t i = pick(engine, scene.objects.size());
  const auto another = [&](std::size_t value, std::size_t count) {
    return (value + 1 + pick(engine, count - 1)) % count;
  };
  change([&](Scene& other) { other.mood = another(other.mood, moods.size()); });
  change([&](Scene& other) { other.objects[i].colour = another(other.objects[i].colour, colours.size()); });
  change([&](Scene& other) { other.objects[i].shape = another(other.objects[i].shape, shapes.size()); });
  change([&](Scene& other) { other.objects[i].size = 1 - other.objects[i].size; });
  change([&](Scene& other) { other.objects.erase(other.objects.begin() + static_cast<std::ptrdiff_t>(i)); });
  if (const auto more = placed(scene.objects[i], scene.objects, engine)) {
    change([&](Scene& other) { other.objects.push_back(*more); });
  }
  return others;
}

void prove(std::int64_t side, std::int64_t count, const char* folder) {
  Engine engine(7);
  Examples examples(folder, side);
  const auto row = [&](const std::string& name, const std::vector<Scene>& scenes, const auto& disturb) {
    Tally tally;
    for (const Scene& scene : scenes) {
      const Tensor picture = disturb(render(scene, side));
      const Reading reading = read_scene(picture);
      const bool right = same_scene(scene, reading, side, 1);
      tally.add(right, reading.clear());
      if (!right) examples.keep(name, picture, to_text(scene), reading);
    }
    tally.print(name);
  };
  fmt::print("\n## {0} x {0} pixels\n\n| pictures | right | unreadable | wrong | count |\n|---|---|---|---|---|\n",
             side);
  const auto clean = [](const Tensor& picture) { return picture; };
  std::vector<Scene> all;
  for (int repeat = 0; repeat < 10; ++repeat) {
    for (Scene& scene : scenes_of_every_combination(engine)) all.push_back(std::move(scene));
  }
  row("every shape, colour, size and mood, at ten places", all, clean);
  std::vector<Scene> mixed;
  for (std::size_t objects = 0; objects <= most_objects; ++objects) {
    std::vector<Scene> scenes;
    for (std::int64_t i = 0; i < count; ++i) scenes.push_back(random_scene(objects, engine));
    row(fmt::format("{} objects", objects), scenes, clean);
    if (objects > 0) mixed.insert(mixed.end(), scenes.begin(), scenes.end());
  }
  for (const double deviation : {4.0, 8.0, 12.0, 16.0}) {
    row(fmt::format("noise of {} in 255", deviation), mixed,
        [&](const Tensor& picture) { return with_noise(picture, deviation, engine); });
  }
  for (const double deviation : {0.5, 0.75, 1.0, 1.25}) {
    row(fmt::format("blur of {} pixels", deviation), mixed,
        [&](const Tensor& picture) { return blurred(picture, deviation); });
  }
  row("blur of 0.75 pixels and noise of 6", mixed,
      [&](const Tensor& picture) { return with_noise(blurred(picture, 0.75), 6, engine); });
  for (const int quality : {95, 85, 75, 50}) {
    row(fmt::format("JPEG of quality {}", quality), mixed,
        [&](const Tensor& picture) { return through_jpeg(picture, quality); });
  }
  for (const double share : {2.0, 0.75, 0.5}) {
    row(fmt::format("scaled by {} and back", share), mixed,
        [&](const Tensor& picture) { return rescaled(picture, share); });
  }
  std::int64_t accepted = 0, tried = 0;
  for (const Scene& scene : mixed) {
    const Description wanted = describe(scene);
    for (const Scene& other : counterfactuals(scene, engine)) {
      ++tried;
      accepted += judge(read_scene(render(other, side)), wanted).strict ? 1 : 0;
    }
  }
  fmt::print("\nAccepted of {} pictures that differ from their description in one thing: {}\n\n", tried, accepted);
  fmt::print("| deformed shapes | read as a shape | large | small | count |\n|---|---|---|---|---|\n");
  for (const Deformation& deformation : deformations()) {
    std::array<std::int64_t, 2> passed{};
    for (std::int64_t i = 0; i < count; ++i) {
      Object object{.shape = static_cast<std::size_t>(i) % shapes.size()};
      object.colour = pick(engine, colours.size());
      object.size = static_cast<std::size_t>(i) / shapes.size() % sizes.size();
      object.x = 0.4 + 0.2 * uniform(engine);
      object.y = 0.4 + 0.2 * uniform(engine);
      const std::size_t mood = pick(engine, moods.size());
      const Colour &own = palette[object.colour], &another = palette[(object.colour + 1) % colours.size()];
      const Colour colour = deformation.paint ? deformation.paint(own, another, grounds[mood]) : own;
      const Tensor picture = drawn(deformation.make(object.shape, engine), object, colour, mood, side);
      const Reading reading = read_scene(picture);
      const bool taken = reading.clear() && !reading.objects.empty();
      passed[object.size] += taken ? 1 : 0;
      examples.keep(deformation.name, picture, "nothing", reading);
    }
    const auto share = [&](std::int64_t n, std::int64_t of) {
      return static_cast<double>(n) / static_cast<double>(of);
    };
    fmt::print("| {} | {:.4f} | {:.4f} | {:.4f} | {} |\n", deformation.name, share(passed[0] + passed[1], count),
               share(passed[1], count / 2), share(passed[0], count / 2), count);
  }
  const std::vector<Tensor> pictures = [&] {
    std::vector<Tensor> drawn;
    for (std::size_t i = 0; i < 400; ++i) drawn.push_back(render(mixed[i * mixed.size() / 400], side));
    return drawn;
  }();
  const auto start = std::chrono::steady_clock::now();
  for (const Tensor& picture : pictures) read_scene(picture);
  const std::chrono::duration<double, std::milli> passed = std::chrono::steady_clock::now() - start;
  fmt::print("\n{:.2f} ms a picture\n", passed.count() / static_cast<double>(pictures.size()));
}

}  // namespace
}  // namespace blip3u::scenes

/// scenes_scorer [pictures a row, default 1000] [folder for pictures that it refuses]
int main(int count, char** arguments) {
  const std::int64_t pictures = count > 1 ? std::atoll(arguments[1]) : 1000;
  for (const std::int64_t side : {32, 48, 64}) {
    blip3u::scenes::prove(side, pictures, count > 2 ? arguments[2] : nullptr);
  }
}
