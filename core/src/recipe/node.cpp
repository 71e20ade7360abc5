#include "recipe/node.h"

#include <algorithm>

namespace blip3u {

namespace {

void expand(Node& node) {
  if (!node.is(Node::Type::scalar)) return;
  Node map;
  map.type = Node::Type::map;
  map.position = node.position;
  const Position position = node.position;
  map.entries.push_back({"plugin", position, std::move(node)});
  node = std::move(map);
}

/// Whether a target is an encoder that is read with, by its role, and not a plugin.
bool names_encoder(std::string_view target) { return target == "encoder" || target.starts_with("understanding."); }

}  // namespace

Entry* Node::find(std::string_view key) {
  const auto found = std::find_if(entries.begin(), entries.end(), [&](const Entry& entry) { return entry.key == key; });
  return found == entries.end() ? nullptr : &*found;
}

const Entry* Node::find(std::string_view key) const { return const_cast<Node*>(this)->find(key); }

const Node* Node::value(std::string_view key) const {
  const Entry* entry = find(key);
  return entry ? &entry->value : nullptr;
}

std::string_view Node::text_of(std::string_view key) const {
  const Node* node = value(key);
  return node && node->is(Type::scalar) ? std::string_view(node->text) : std::string_view();
}

std::string plain_component_name(std::string_view name) {
  const auto slash = name.find('/');
  const bool twice = slash != std::string_view::npos && name.substr(0, slash) == name.substr(slash + 1);
  return std::string(twice ? name.substr(0, slash) : name);
}

void expand_short_forms(Node& root) {
  for (const char* key : {"data", "tokenizer"}) {
    if (Entry* entry = root.find(key)) expand(entry->value);
  }
  if (Entry* data = root.find("data")) {
    if (Entry* sources = data->value.find("sources")) {
      for (Node& source : sources->value.items) expand(source);
    }
  }
  if (Entry* pipeline = root.find("pipeline")) {
    for (Entry& part : pipeline->value.entries) {
      if (part.key != "understanding" && part.key != "generation") expand(part.value);
    }
    if (Entry* understanding = pipeline->value.find("understanding")) {
      for (Node& encoder : understanding->value.items) expand(encoder);
    }
    if (Entry* generation = pipeline->value.find("generation")) {
      for (Node& link : generation->value.items) {
        for (Entry& part : link.entries) {
          if (part.key != "target" || !names_encoder(part.value.text)) expand(part.value);
        }
      }
    }
  }
  if (Entry* evaluation = root.find("evaluation")) {
    for (Node& task : evaluation->value.items) expand(task);
  }
}

}  // namespace blip3u
