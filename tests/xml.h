// A strict reader of the XML that the toolkit writes: elements, attributes, text and the predefined entities.
#pragma once

#include <cctype>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace blip3u::testing {

struct Element {
  std::string name, text;  ///< the text of the element and of all within
  std::map<std::string, std::string> attributes;
  std::vector<Element> children;

  bool has_class(const std::string& wanted) const {
    const auto found = attributes.find("class");
    return found != attributes.end() && (" " + found->second + " ").find(" " + wanted + " ") != std::string::npos;
  }
  /// All elements within that have a name and, if given, a class, in the order of the document.
  std::vector<const Element*> all(const std::string& wanted, const std::string& of_class = {}) const {
    std::vector<const Element*> found;
    for (const Element& child : children) {
      if (child.name == wanted && (of_class.empty() || child.has_class(of_class))) found.push_back(&child);
      for (const Element* deeper : child.all(wanted, of_class)) found.push_back(deeper);
    }
    return found;
  }
};

class XmlReader {
 public:
  /// The root element. Throws std::runtime_error at the first thing that is not well-formed.
  static Element read(std::string_view text) {
    XmlReader reader(text);
    if (reader.rest().starts_with("<!DOCTYPE html>")) reader.at_ += 15;
    reader.skip_space();
    Element root = reader.element();
    reader.skip_space();
    if (!reader.rest().empty()) reader.fail("something after the root");
    return root;
  }

 private:
  explicit XmlReader(std::string_view text) : text_(text) {}

  std::string_view rest() const { return text_.substr(at_); }
  [[noreturn]] void fail(const std::string& why) const {
    throw std::runtime_error("not well-formed, " + why + ": " + std::string(rest().substr(0, 60)));
  }
  void skip_space() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
  }
  bool take(std::string_view token) {
    if (!rest().starts_with(token)) return false;
    at_ += token.size();
    return true;
  }
  void expect(std::string_view token) {
    if (!take(token)) fail("expected " + std::string(token));
  }
  std::string name() {
    const std::size_t start = at_;
    while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) || text_[at_] == '-')) ++at_;
    if (at_ == start) fail("expected a name");
    return std::string(text_.substr(start, at_ - start));
  }
  std::string characters(std::string_view end) {
    std::string result;
    while (at_ < text_.size() && end.find(text_[at_]) == std::string_view::npos) {
      const char next = text_[at_];
      if (next == '<') fail("a bare <");
      if (static_cast<unsigned char>(next) < 0x20 && !std::isspace(static_cast<unsigned char>(next))) fail("a control");
      if (next != '&') {
        result += next;
        ++at_;
      } else if (take("&amp;")) {
        result += '&';
      } else if (take("&lt;")) {
        result += '<';
      } else if (take("&gt;")) {
        result += '>';
      } else if (take("&quot;")) {
        result += '"';
      } else if (take("&#39;")) {
        result += '\'';
      } else {
        fail("an unknown entity");
      }
    }
    return result;
  }
  Element element() {
    Element made;
    expect("<");
    made.name = name();
    for (skip_space(); !rest().starts_with(">") && !rest().starts_with("/>"); skip_space()) {
      const std::string key = name();
      expect("=\"");
      if (!made.attributes.emplace(key, characters("\"")).second) fail("an attribute twice");
      expect("\"");
    }
    if (take("/>")) return made;
    expect(">");
    while (!take("</")) {
      made.text += characters("<");
      if (rest().starts_with("</")) continue;
      made.children.push_back(element());
      made.text += made.children.back().text;
    }
    if (name() != made.name) fail("another element is open");
    expect(">");
    return made;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace blip3u::testing
