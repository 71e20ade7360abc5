#include "blip3u/chat.h"

#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "blip3u/error.h"
#include "blip3u/image.h"

namespace blip3u {

namespace {

using nlohmann::json;
namespace fs = std::filesystem;

/// Turns one line into a sample.
class Parser {
 public:
  Parser(const fs::path& folder, const std::string& where) : folder_(folder), where_(where) {}

  Sample parse(const std::string& line) {
    const json item = parse_json(line);
    if (!item.is_object()) fail("this line is not a JSON object; write {\"messages\": [...]}");
    sample_.id = where_;
    if (const auto id = item.find("id"); id != item.end()) {
      if (!id->is_string() && !id->is_number_integer()) fail("\"id\" is neither a text nor a whole number; quote it");
      sample_.id = id->is_string() ? id->get<std::string>() : id->dump();
    }
    if (const auto images = item.find("images"); images != item.end()) {
      listed_ = true;
      for (const json& image : list(*images, "images")) read_picture(text(image, "an entry of \"images\""));
    }
    const auto messages = item.find("messages");
    if (messages == item.end()) fail("\"messages\" is missing; add it");
    for (const json& message : list(*messages, "messages")) read_message(message);
    if (const auto captions = item.find("captions"); captions != item.end()) {
      for (const json& caption : list(*captions, "captions")) {
        sample_.captions.push_back(text(caption, "an entry of \"captions\""));
      }
    }
    if (const auto labels = item.find("labels"); labels != item.end()) {
      if (!labels->is_object()) fail("\"labels\" is not an object; write {\"class\": \"...\"}");
      for (const auto& [name, value] : labels->items()) sample_.labels.emplace_back(name, text(value, "a label"));
    }
    if (const std::string problem = problem_of(sample_); !problem.empty()) fail(problem + "; mend this line");
    return std::move(sample_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const { throw Error(fmt::format("{}: {}", where_, what)); }

  json parse_json(const std::string& line) const {
    try {
      return json::parse(line);
    } catch (const json::parse_error& error) {
      // Its own words come behind the position, "... at line 1, column 7: syntax error while ...".
      std::string reason = error.what();
      if (const auto colon = reason.find(": "); colon != std::string::npos) reason = reason.substr(colon + 2);
      throw Error(fmt::format("{}:{}: not JSON: {}; mend this line", where_, error.byte, reason));
    }
  }

  const json& list(const json& value, const char* name) const {
    if (!value.is_array()) fail(fmt::format("\"{}\" is not a list; write [...]", name));
    return value;
  }

  std::string text(const json& value, const char* name) const {
    if (!value.is_string()) fail(fmt::format("{} is not a text; write it in quotes", name));
    return value.get<std::string>();
  }

  std::string text_of(const json& object, const char* name) const {
    const auto found = object.find(name);
    if (found == object.end()) fail(fmt::format("\"{}\" is missing; add it", name));
    return text(*found, fmt::format("\"{}\"", name).c_str());
  }

  void read_message(const json& item) {
    if (!item.is_object()) fail("one of \"messages\" is not an object; write {\"role\": \"user\", \"content\": ...}");
    const std::string role = text_of(item, "role");
    Message message;
    if (role != "system" && role != "user" && role != "assistant") {
      fail(fmt::format("\"role\" is '{}'; write system, user or assistant", role));
    }
    message.role = role == "system" ? Role::system : role == "user" ? Role::user : Role::assistant;
    const float weight = message.role == Role::assistant ? 1 : 0;
    const auto content = item.find("content");
    if (content == item.end()) fail("\"content\" is missing; add it");
    if (content->is_string()) {
      message.content.push_back(text_part(content->get<std::string>(), weight));
    } else {
      for (const json& part : list(*content, "content")) message.content.push_back(read_part(part, weight));
    }
    sample_.messages.push_back(std::move(message));
  }

  Part read_part(const json& item, float weight) {
    if (!item.is_object())
      fail("a part of \"content\" is not an object; write {\"type\": \"text\", \"text\": \"...\"}");
    if (const auto given = item.find("weight"); given != item.end()) {
      if (!given->is_number()) fail("\"weight\" is not a number; write 1 or 0");
      weight = given->get<float>();
    }
    const std::string type = text_of(item, "type");
    if (type == "text") return text_part(text_of(item, "text"), weight);
    if (type != "image") fail(fmt::format("\"type\" is '{}'; write text or image", type));
    const auto image = item.find("image");
    if (listed_ && (image == item.end() || image->is_null())) return image_part(next_listed_++, weight);
    if (image != item.end() && image->is_number_integer()) return image_part(image->get<std::int64_t>(), weight);
    read_picture(text_of(item, "image"));
    return image_part(static_cast<std::int64_t>(sample_.images.size()) - 1, weight);
  }

  void read_picture(const std::string& name) {
    const fs::path file = fs::path(name).lexically_normal();
    if (file.empty() || file.is_absolute() || *file.begin() == "..") {
      fail(fmt::format("the picture '{}' is not inside the folder {}; move it there", name, folder_.string()));
    }
    try {
      sample_.images.push_back(to_bytes(read_image(folder_ / file)));
    } catch (const Error& error) {
      fail(error.what());
    }
  }

  const fs::path& folder_;
  const std::string& where_;
  Sample sample_;
  bool listed_ = false;
  std::int64_t next_listed_ = 0;
};

}  // namespace

Sample parse_chat(const std::string& line, const fs::path& folder, const std::string& where) {
  return Parser(folder, where).parse(line);
}

ChatReader::ChatReader(fs::path file) : file_(std::move(file)), stream_(file_, std::ios::binary) {
  if (!stream_ || fs::is_directory(file_)) {
    throw Error(fmt::format("{} cannot be read; check that the file exists and may be read", file_.string()));
  }
}

ChatReader::~ChatReader() = default;

/// The next line that is not blank.
bool ChatReader::read_line() {
  constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
  while (std::getline(stream_, line_)) {
    if (++number_ == 1 && line_.starts_with(byte_order_mark)) line_.erase(0, byte_order_mark.size());
    if (line_.find_first_not_of(" \t\r") != std::string::npos) return true;
  }
  if (stream_.bad()) throw Error(fmt::format("{}:{}: the file cannot be read on", file_.string(), number_ + 1));
  return false;
}

std::optional<Sample> ChatReader::next() {
  if (!read_line()) return std::nullopt;
  return parse_chat(line_, file_.parent_path(), fmt::format("{}:{}", file_.string(), number_));
}

void ChatReader::skip(std::int64_t count) {
  while (count-- > 0 && read_line()) {
  }
}

}  // namespace blip3u
