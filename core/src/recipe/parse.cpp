// YAML text to our own tree, through the parser's events: its nodes lose marks and hide duplicate keys.
#include <algorithm>
#include <sstream>
#include <unordered_map>

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include "blip3u/utf8.h"
#include "recipe/diagnostics.h"
#include "recipe/node.h"

namespace blip3u {

namespace {

constexpr std::size_t deepest = 32;  // levels; recipes have five

struct TooDeep {
  YAML::Mark mark;
};

class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(std::shared_ptr<const Source> source, Diagnostics& diagnostics)
      : source_(std::move(source)), diagnostics_(diagnostics) {}

  /// Marks count lines and bytes from 0; positions count lines and characters from 1.
  Position position(const YAML::Mark& mark) const {
    if (source_->lines.empty() || mark.is_null()) return {source_, 0, 0};
    const auto last = source_->lines.size() - 1;
    const auto index = std::min(static_cast<std::size_t>(std::max(mark.line, 0)), last);
    const std::string& line = source_->lines[index];
    const auto bytes = std::min(static_cast<std::size_t>(std::max(mark.column, 0)), line.size());
    const auto before =
        std::count_if(line.begin(), line.begin() + static_cast<std::ptrdiff_t>(bytes), begins_character);
    return {source_, static_cast<int>(index) + 1, static_cast<int>(before) + 1};
  }

  bool has_document() const { return has_root_; }
  Node take_root() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (has_root_) {
      diagnostics_.add(position(mark), "this begins a second document, but a recipe is one; remove it");
      ignoring_ = true;
    }
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { place(begin(mark, "?", anchor, {})); }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    if (ignoring_) return;
    diagnostics_.add(position(mark), "aliases (`*name`) are not supported; repeat the value, or share it by `base`");
    Node node = begin(mark, "?", 0, Node::Type::invalid);
    place(std::move(node));
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    Node node = begin(mark, tag, anchor, Node::Type::scalar);
    node.text = value;
    node.quoted = tag != "?";
    place(std::move(node));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, begin(mark, tag, anchor, Node::Type::list));
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, begin(mark, tag, anchor, Node::Type::map));
  }
  void OnMapEnd() override { close(); }

 private:
  struct Frame {
    Node node;
    Entry entry;  // of a map: the one whose value comes next
    bool has_key = false;
    bool drop_value = false;
    std::unordered_map<std::string, int> lines;  // of the keys so far
  };

  Node begin(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, Node::Type type) {
    Node node;
    node.type = type;
    node.position = position(mark);
    if (ignoring_) return node;
    if (anchor != 0) {
      diagnostics_.add(node.position, "anchors (`&name`) are not supported; repeat the value, or share it by `base`");
    }
    if (tag.size() > 1)
      diagnostics_.add(node.position, fmt::format("tags are not supported; remove {}", in_ticks(tag)));
    return node;
  }

  void open(const YAML::Mark& mark, Node node) {
    if (frames_.size() >= deepest) throw TooDeep{mark};
    Frame frame;
    frame.node = std::move(node);
    frames_.push_back(std::move(frame));
  }

  void close() {
    Node node = std::move(frames_.back().node);
    frames_.pop_back();
    place(std::move(node));
  }

  void place(Node node) {
    if (frames_.empty()) {
      if (!has_root_) root_ = std::move(node);
      has_root_ = true;
      return;
    }
    Frame& frame = frames_.back();
    if (frame.node.is(Node::Type::list)) {
      frame.node.items.push_back(std::move(node));
    } else if (frame.has_key) {
      frame.has_key = false;
      if (node.is(Node::Type::null)) node.position = frame.entry.position;  // its own mark is that of what follows
      frame.entry.value = std::move(node);
      if (!frame.drop_value) frame.node.entries.push_back(std::move(frame.entry));
    } else {
      begin_entry(frame, node);
    }
  }

  void begin_entry(Frame& frame, const Node& key) {
    frame.has_key = true;
    frame.entry = {key.text, key.position, {}};
    frame.drop_value = true;
    if (ignoring_ || key.is(Node::Type::invalid)) return;
    if (!key.is(Node::Type::scalar)) {
      diagnostics_.add(key.position, "a key must be plain text");
    } else if (key.text == "<<" && !key.quoted) {
      diagnostics_.add(key.position, "merge keys (`<<`) are not supported; repeat the values, or share them by `base`");
    } else if (const auto [first, fresh] = frame.lines.emplace(key.text, key.position.line); !fresh) {
      const std::string where = first->second > 0 ? fmt::format(" (first in line {})", first->second) : "";
      diagnostics_.add(key.position, fmt::format("duplicate key {}{}; remove one", in_ticks(key.text), where));
    } else {
      frame.drop_value = false;
    }
  }

  std::shared_ptr<const Source> source_;
  Diagnostics& diagnostics_;
  std::vector<Frame> frames_;
  Node root_;
  bool has_root_ = false;
  bool ignoring_ = false;  // a second document has been reported
};

}  // namespace

Node parse_yaml(const std::string& text, const std::shared_ptr<Source>& source, Diagnostics& diagnostics) {
  TreeBuilder builder(source, diagnostics);
  try {
    std::istringstream stream(text);
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const TooDeep& deep) {
    diagnostics.add(builder.position(deep.mark), fmt::format("nested deeper than {} levels", deepest));
    diagnostics.raise();
  } catch (const YAML::Exception& failure) {
    diagnostics.add(builder.position(failure.mark), fmt::format("not YAML: {}", failure.msg));
    diagnostics.raise();
  }
  return builder.take_root();  // a null node if there was no document
}

}  // namespace blip3u
