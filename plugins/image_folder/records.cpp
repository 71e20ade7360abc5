#include "image_folder/records.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "image_folder/text.h"
#include "io/interrupt.h"
#include "layers/picture_files.h"

namespace blip3u::image_folder {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr const char* not_an_object = R"(this is not a JSON object; write {"file": "a.png", "caption": "..."})";

void read_json_lines(const std::string& text, const std::string& name, const TakeRecord& take, Problems& problems) {
  std::size_t number = 0;
  for (std::size_t begin = 0; begin < text.size(); ++number) {
    stop_if_interrupted();
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string line = trimmed(std::string_view(text).substr(begin, end - begin));
    begin = end + 1;
    if (line.empty()) continue;
    const std::string where = fmt::format("{}:{}", name, number + 1);
    const json record = json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (record.is_object()) {
      take(record, where);
    } else {
      problems.add(fmt::format("{}: {}", where, not_an_object));
    }
  }
}

char separator_of(const std::string& text, const std::string& extension) {
  if (extension == ".tsv") return '\t';
  const std::string head = text.substr(0, text.find('\n'));
  return head.find(',') == std::string::npos && head.find(';') != std::string::npos ? ';' : ',';
}

void read_table(const std::string& text, const std::string& name, const std::string& extension, const TakeRecord& take,
                Problems& problems) {
  const auto rows = rows_of(text, separator_of(text, extension), extension != ".tsv");
  for (std::size_t i = 1; i < rows.size(); ++i) {
    stop_if_interrupted();
    const std::string where = fmt::format("{}, row {}", name, i + 1);
    if (rows[i].size() != rows[0].size()) {
      problems.add(fmt::format("{}: it has {} fields, and the row of names {}; put a text with separators in quotes",
                               where, rows[i].size(), rows[0].size()));
      continue;
    }
    json record = json::object();
    for (std::size_t column = 0; column < rows[0].size(); ++column) {
      if (!rows[i][column].empty()) record[trimmed(rows[0][column])] = rows[i][column];
    }
    take(record, where);
  }
}

bool is_coco(const json& content) {
  return content.is_object() && content.contains("images") && content["images"].is_array() &&
         content.contains("annotations") && content["annotations"].is_array();
}

bool is_llava(const json& content) {
  return content.is_array() && !content.empty() && content[0].is_object() && content[0].contains("conversations");
}

std::string text_at(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

/// Annotations are by the numbers (or texts) of pictures and categories. A picture of several categories has no class.
void read_coco(const json& content, const std::string& name, const TakeRecord& take, Tally& aside) {
  std::map<std::string, std::string> categories;
  for (const json& category : content.value("categories", json::array())) {
    if (category.is_object() && category.contains("id")) categories[category["id"].dump()] = text_at(category, "name");
  }
  struct Said {
    json captions = json::array();
    std::set<std::string> classes;
  };
  std::map<std::string, Said> said;
  for (const json& annotation : content["annotations"]) {
    stop_if_interrupted();
    if (!annotation.is_object() || !annotation.contains("image_id")) {
      aside.add("annotations without an image_id", name);
      continue;
    }
    Said& of_picture = said[annotation["image_id"].dump()];
    if (annotation.contains("caption")) of_picture.captions.push_back(annotation["caption"]);
    if (annotation.contains("category_id")) {
      of_picture.classes.insert(categories[annotation["category_id"].dump()]);
    }
  }
  std::size_t number = 0;
  for (const json& image : content["images"]) {
    stop_if_interrupted();
    const std::string where = fmt::format("{}, image {}", name, ++number);
    const auto found = image.is_object() && image.contains("id") ? said.find(image["id"].dump()) : said.end();
    if (found == said.end()) {
      aside.add("images of COCO without an annotation", image.is_object() ? text_at(image, "file_name") : where);
      continue;
    }
    json record = {{"file", image.value("file_name", json())}, {"captions", found->second.captions}};
    if (found->second.classes.size() == 1) record["class"] = *found->second.classes.begin();
    if (found->second.classes.size() > 1)
      aside.add("classes of pictures that show several", text_at(image, "file_name"));
    take(record, where);
  }
}

std::string without_places(std::string text) {
  constexpr std::string_view place = "<image>";
  for (std::size_t at = 0; (at = text.find(place)) != std::string::npos;) text.erase(at, place.size());
  return trimmed(text);
}

/// Each reply belongs to what was said before it; what is said of one picture later need not be asked in this order.
void read_llava(const json& content, const std::string& name, const TakeRecord& take, Problems& problems,
                Tally& aside) {
  std::size_t number = 0;
  for (const json& item : content) {
    stop_if_interrupted();
    const std::string where = fmt::format("{}, conversation {}", name, ++number);
    if (!item.is_object() || !item.value("conversations", json()).is_array()) {
      problems.add(
          fmt::format("{}: \"conversations\" is not a list; write [{{\"from\": \"human\", ...}}, ...]", where));
      continue;
    }
    if (!item.contains("image") || !item["image"].is_string()) {
      aside.add("conversations without one picture", where);
      continue;
    }
    json questions = json::array();
    std::string question;
    for (const json& turn : item["conversations"]) {
      const std::string from = turn.is_object() ? text_at(turn, "from") : "";
      const std::string value = turn.is_object() ? without_places(text_at(turn, "value")) : "";
      if (from == "human" || from == "user") question = value;
      if ((from == "gpt" || from == "assistant") && !question.empty()) {
        questions.push_back({{"question", std::exchange(question, {})}, {"answer", value}});
      }
    }
    json record = {{"file", item["image"]}, {"questions", std::move(questions)}};
    for (const auto& [key, value] : item.items()) {
      if (key != "image" && key != "conversations") record[key] = value;
    }
    take(record, where);
  }
}

/// {"a.png": "a dog", "b.png": ["a cat", "a black cat"], "c.png": {"caption": "..."}}
void read_by_file(const json& content, const std::string& name, const TakeRecord& take, Problems& problems) {
  for (const auto& [file, value] : content.items()) {
    const std::string where = fmt::format("{}, '{}'", name, file);
    json record = value.is_object() ? value : json{{value.is_array() ? "captions" : "caption", value}};
    if (!value.is_object() && !value.is_array() && !value.is_string()) {
      problems.add(fmt::format("{}: it is neither a text, a list of texts nor an object; write the caption", where));
      continue;
    }
    record["file"] = file;
    take(record, where);
  }
}

void read_json(const std::string& text, const std::string& name, bool surely_a_list, const TakeRecord& take,
               Problems& problems, Tally& aside) {
  json content;
  try {
    content = json::parse(text);
  } catch (const json::exception& error) {
    if (surely_a_list) problems.add(fmt::format("{}: not JSON: {}; mend it", name, error.what()));
    if (!surely_a_list) aside.add("JSON files that describe no pictures", name);
    return;
  }
  if (is_coco(content)) return read_coco(content, name, take, aside);
  if (is_llava(content)) return read_llava(content, name, take, problems, aside);
  if (!surely_a_list) return aside.add("JSON files that describe no pictures", name);
  if (content.is_object()) return read_by_file(content, name, take, problems);
  if (!content.is_array()) {
    return problems.add(fmt::format("{}: neither an object nor a list; write {{\"a.png\": \"its caption\"}}", name));
  }
  for (std::size_t i = 0; i < content.size(); ++i) {
    const std::string where = fmt::format("{}, entry {}", name, i + 1);
    if (content[i].is_object()) take(content[i], where);
    if (!content[i].is_object()) problems.add(fmt::format("{}: {}", where, not_an_object));
  }
}

}  // namespace

std::vector<std::vector<std::string>> rows_of(const std::string& text, char separator, bool quotes) {
  std::vector<std::vector<std::string>> rows;
  std::vector<std::string> row;
  std::string field;
  bool quoted = false, begun = false;  // begun: the field has a quote, and so is one even if empty
  const auto end_row = [&] {
    if (row.empty() && field.empty() && !begun) return;  // a blank line
    row.push_back(std::exchange(field, {}));
    rows.push_back(std::exchange(row, {}));
    begun = false;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char character = text[i];
    if (quoted) {
      if (character != '"') {
        field += character;
      } else if (i + 1 < text.size() && text[i + 1] == '"') {
        field += text[++i];
      } else {
        quoted = false;
      }
    } else if (quotes && character == '"' && field.empty() && !begun) {
      quoted = begun = true;
    } else if (character == separator) {
      row.push_back(std::exchange(field, {}));
      begun = false;
    } else if (character == '\n') {
      end_row();
    } else if (character != '\r' || (i + 1 < text.size() && text[i + 1] != '\n')) {
      field += character;
    }
  }
  end_row();
  return rows;
}

bool is_list_by_name(const fs::path& file) {
  const std::string stem = file.stem().string();
  return stem == "captions" || stem == "metadata" || stem == "labels";
}

void read_records(const fs::path& folder, const fs::path& file, const TakeRecord& take, Problems& problems,
                  Tally& aside) {
  const std::string extension = layers::extension_of(file), name = (folder / file).string();
  const bool by_name = is_list_by_name(file);
  if (!by_name && extension != ".json")
    return aside.add("lists that are not called captions, metadata or labels", file.string());
  try {
    const std::string text = read_utf8(folder / file);
    if (extension == ".json") return read_json(text, name, by_name, take, problems, aside);
    if (extension == ".jsonl") return read_json_lines(text, name, take, problems);
    read_table(text, name, extension, take, problems);
  } catch (const Unreadable& unreadable) {
    problems.add(unreadable.what());
  }
}

}  // namespace blip3u::image_folder
