// `data`: what the stages learn from.
#include <algorithm>

#include <fmt/format.h>

#include "recipe/check.h"

namespace blip3u {

namespace {

constexpr double unbounded = std::numeric_limits<double>::infinity();

constexpr ParameterSpec data_keys[] = {
    integer("image_size", 64, 8, 4096, "pixels a side at which pictures are read and made"),
    integer("lanes", 0, 0, 1'000'000, "independent walks through the data; 0: as many as a batch has rows"),
    integer("window", 16, 1, 1'000'000, "samples that a lane shuffles at a time, of a data set without an index"),
    inference(integer("workers", 0, 0, 256, "threads that read ahead")),
    inference(number("corrupt_share", 0.01, 0, 0.99, "share of the samples that may be corrupt; they are passed over")),
    inference(
        boolean("keep_features", true, "whether what frozen encoders make of pictures is kept for the next time")),
};

constexpr ParameterSpec source_keys[] = {
    number("weight", 1, 0, unbounded, "of its share of the samples"),
    texts("filter", "", "what a sample's labels must be: label=value or label!=value"),
};

std::vector<const char*> names_of(std::span<const ParameterSpec> schema) {
  std::vector<const char*> names;
  for (const ParameterSpec& spec : schema) names.push_back(spec.name);
  return names;
}

/// The values of the keys of a schema that a map has, and the defaults of the others.
Parameters read_keys(const Node& node, std::span<const ParameterSpec> schema, Diagnostics& diagnostics) {
  Parameters keys = Parameters::defaults(schema);
  for (const ParameterSpec& spec : schema) {
    ParameterValue value;
    const Node* const given = node.value(spec.name);
    if (given && read_value(*given, spec.name, spec, value, diagnostics)) keys.set(spec.name, std::move(value));
  }
  return keys;
}

SourceChoice check_source(const Node& node, const Position& where, std::vector<const char*> others,
                          ComponentChecker& components, Diagnostics& diagnostics) {
  const auto own = names_of(source_schema());
  others.insert(others.end(), own.begin(), own.end());
  const Parameters keys = read_keys(node, source_schema(), diagnostics);
  SourceChoice source{components.add(Kind::dataset, node, where, others), keys.number("weight"), keys.texts("filter")};
  if (source.weight == 0) {
    diagnostics.add(node.value("weight")->position, "`weight` must be above 0; or leave the source out");
  }
  check_filter(node, source.filter, diagnostics);
  return source;
}

}  // namespace

void check_filter(const Node& owner, const std::vector<std::string>& filter, Diagnostics& diagnostics) {
  for (std::size_t i = 0; i < filter.size(); ++i) {
    const auto equals = filter[i].find('=');
    if (equals != std::string::npos && equals > 0) continue;
    diagnostics.add(
        owner.value("filter")->items[i].position,
        fmt::format("a condition of `filter` must be label=value or label!=value, is {}", in_ticks(filter[i])));
  }
}

std::span<const ParameterSpec> data_schema() { return data_keys; }
std::span<const ParameterSpec> source_schema() { return source_keys; }

DataChoice check_data(const Node& node, const Position& where, ComponentChecker& components, Diagnostics& diagnostics) {
  const Parameters keys = read_keys(node, data_schema(), diagnostics);
  DataChoice data{.sources = {},
                  .image_size = keys.integer("image_size"),
                  .lanes = keys.integer("lanes"),
                  .window = keys.integer("window"),
                  .workers = keys.integer("workers"),
                  .corrupt_share = keys.number("corrupt_share"),
                  .keep_features = keys.boolean("keep_features")};
  const Node* const sources = node.value("sources");
  if (!sources) {
    data.sources.push_back(check_source(node, where, names_of(data_schema()), components, diagnostics));
    return data;
  }
  constexpr const char* list[] = {"sources"};
  check_map(node, where, "`data` with `sources`", data_schema(), list, diagnostics);
  if (!sources->is(Node::Type::list) || sources->items.empty()) {
    expected(*sources, "sources", "a list of data sets", diagnostics);
    return data;
  }
  for (const Node& item : sources->items) {
    data.sources.push_back(check_source(item, item.position, {}, components, diagnostics));
  }
  return data;
}

}  // namespace blip3u
