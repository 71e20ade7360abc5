// `ablate:` as it is written, checked for itself, without the recipe that it is about.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "blip3u/parameters.h"
#include "recipe/diagnostics.h"
#include "recipe/node.h"

namespace blip3u {

/// The keys of `ablate:` besides axes, points, baseline and leave_out.
BLIP3U_API std::span<const ParameterSpec> sweep_schema();

struct SectionLabel {
  std::string name;
  Position position;
  std::vector<Change> changes;
};

struct SectionAxis {
  std::string name;
  Position position;
  std::vector<SectionLabel> labels;
};

/// Places of labels, by axis.
using Combination = std::vector<std::size_t>;

/// A combination, or several: of each axis the labels that it names.
struct Selection {
  Position position;
  std::vector<std::vector<std::size_t>> labels;  ///< by axis; none: all
  std::string reason;                            ///< for leaving out

  bool holds(const Combination& combination) const;
};

struct Section {
  std::string design;
  std::vector<std::uint64_t> seeds;
  std::vector<std::string> scores;
  std::string trained;
  std::optional<Position> trained_position;
  std::vector<SectionAxis> axes;
  Combination baseline;
  Position baseline_position;
  std::vector<Selection> leave_out;
  std::vector<Combination> combinations;  ///< of the design, whether or not they are left out

  std::string name_of(const Combination& combination) const;
};

/// Reads the section. Where something is reported, what is returned serves to find more that is wrong.
Section check_section(const Node& node, const Position& where, Diagnostics& diagnostics);

}  // namespace blip3u
