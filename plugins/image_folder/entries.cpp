#include "image_folder/entries.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "image_folder/listing.h"
#include "image_folder/records.h"
#include "image_folder/text.h"
#include "layers/picture_files.h"

namespace blip3u::image_folder {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

Share share_called(std::string_view name) {
  if (name == "train" || name == "training") return Share::train;
  if (name == "validation" || name == "val" || name == "valid" || name == "dev") return Share::validation;
  return name == "test" || name == "testing" ? Share::test : Share::unknown;
}

/// Of a folder that is called train, train2017, val and so on.
Share share_of_folder(const fs::path& picture) {
  if (std::next(picture.begin()) == picture.end()) return Share::unknown;
  std::string name = picture.begin()->string();
  while (!name.empty() && name.back() >= '0' && name.back() <= '9') name.pop_back();
  return share_called(name);
}

template <class Value>
void add_once(std::vector<Value>& values, Value value) {
  if (std::ranges::find(values, value) == values.end()) values.push_back(std::move(value));
}

class ContentsReader {
 public:
  ContentsReader(const fs::path& folder, const Wishes& wishes, Tally& aside)
      : folder_(folder), wishes_(wishes), aside_(aside), listing_(list(folder, aside)), names_(listing_.pictures) {
    for (const fs::path& picture : listing_.pictures)
      contents_.entries.push_back({.described = {.id = picture.string()}});
  }

  Contents read() && {
    read_lists();
    if (contents_.sources.empty()) read_text_files();
    const bool folders_are_shares = take_shares_of_folders();
    take_classes_of_folders(folders_are_shares);
    problems_.raise();
    leave_unlisted();
    collect_classes();
    for (Entry& entry : contents_.entries) fulfil(entry);
    problems_.raise();
    return std::move(contents_);
  }

 private:
  void read_lists() {
    std::set<fs::path> stems;  // of pictures, beside which a .json is about that picture alone
    for (const fs::path& picture : listing_.pictures) stems.insert(fs::path(picture).replace_extension());
    const auto beside_picture = [&](fs::path file) { return stems.contains(file.replace_extension()); };
    std::vector<fs::path> lists;
    for (const fs::path& file : listing_.lists) {
      if (beside_picture(file))
        aside_.add("JSON files beside a picture", file.string());
      else
        lists.push_back(file);
    }
    std::erase_if(listing_.texts, [&](const fs::path& file) {
      const bool table = is_list_by_name(file) && !beside_picture(file);
      if (table) lists.push_back(file);
      return table;
    });
    for (const fs::path& file : lists) {
      const auto take = [&](const json& record, const std::string& where) {
        contents_.sources.insert(file.filename().string());
        take_record(record, file.parent_path(), where);
      };
      read_records(folder_, file, take, problems_, aside_);
    }
  }

  void read_text_files() {
    std::map<fs::path, std::vector<std::size_t>> pictures;
    for (std::size_t i = 0; i < listing_.pictures.size(); ++i) {
      pictures[fs::path(listing_.pictures[i]).replace_extension()].push_back(i);
    }
    for (const fs::path& text : listing_.texts) {
      const auto found = pictures.find(fs::path(text).replace_extension());
      if (found == pictures.end()) {
        aside_.add("text files without a picture beside them", text.string());
        continue;
      }
      if (found->second.size() > 1) {
        problems_.add(fmt::format("{} stands beside two pictures of that name; rename one", (folder_ / text).string()));
        continue;
      }
      try {
        Entry& entry = contents_.entries[found->second.front()];
        for (std::string& line : lines_of(read_utf8(folder_ / text)))
          add_once(entry.described.captions, std::move(line));
        entry.listed = !entry.described.captions.empty();
        if (!entry.listed) aside_.add("text files that are empty", text.string());
        if (entry.listed) contents_.sources.insert("text files");
      } catch (const Unreadable& unreadable) {
        problems_.add(unreadable.what());
      }
    }
  }

  /// A value by the first of several names that a record has.
  template <std::size_t count>
  static const json* value_of(const json& record, const std::array<const char*, count>& names) {
    for (const char* name : names) {
      if (const auto found = record.find(name); found != record.end() && !found->is_null()) return &*found;
    }
    return nullptr;
  }

  /// What is wrong with one record; it is then added to the problems.
  struct Wrong {
    std::string what;
  };

  static std::string text_in(const json* value, const char* key) {
    if (value == nullptr || !value->is_string()) {
      throw Wrong{fmt::format("\"{}\" must be a text; write it in quotes", key)};
    }
    return trimmed(value->get<std::string>());
  }

  static constexpr std::array file_names = {"file", "file_name", "filename", "image", "path"};
  static constexpr std::array caption_names = {"caption", "captions", "text", "blip_caption"};
  static constexpr std::array class_names = {"class", "label", "category"};

  void take_record(const json& record, const fs::path& list_folder, const std::string& where) {
    try {
      Entry& entry = picture_of(record, list_folder);
      Entry said;
      take_captions(record, said);
      take_questions(record, said);
      if (const json* const value = value_of(record, class_names)) said.label = class_in(*value);
      if (const auto split = record.find("split"); split != record.end()) {
        const std::string name = text_in(&*split, "split");
        said.share = share_called(name);
        if (said.share == Share::unknown) {
          throw Wrong{fmt::format("\"split\" is '{}'; write train, validation or test", name)};
        }
      }
      if (said.described.captions.empty() && said.described.questions.empty() && said.label.empty()) {
        throw Wrong{fmt::format("'{}' has neither a caption, questions nor a class; add one, or remove the line",
                                entry.described.id)};
      }
      name_unknown_keys(record, where);
      merge(said, entry);
    } catch (const Wrong& wrong) {
      problems_.add(fmt::format("{}: {}", where, wrong.what));
    }
  }

  Entry& picture_of(const json& record, const fs::path& list_folder) {
    const std::string name = text_in(value_of(record, file_names), "file");
    const fs::path file = fs::path(name).lexically_normal();
    if (file.empty() || file.is_absolute() || *file.begin() == "..") {
      throw Wrong{fmt::format("\"file\" is '{}', which is not inside the folder; move the picture there", name)};
    }
    if (!layers::is_picture_file(file)) {
      throw Wrong{fmt::format("'{}' is not a .png, .jpg, .jpeg or .webp; convert it, or remove the line", name)};
    }
    const auto place = names_.find(list_folder, name);
    if (!place)
      throw Wrong{
          fmt::format("there is no picture '{}'; add it or remove the line", (folder_ / list_folder / file).string())};
    return contents_.entries[*place];
  }

  static void take_captions(const json& record, Entry& said) {
    const json* const value = value_of(record, caption_names);
    if (value == nullptr) return;
    for (const json& caption : value->is_array() ? *value : json::array({*value})) {
      std::string text = text_in(&caption, "caption");
      if (!text.empty()) add_once(said.described.captions, std::move(text));
    }
  }

  void take_questions(const json& record, Entry& said) const {
    json questions = record.value("questions", json::array());
    if (!questions.is_array()) {
      throw Wrong{R"("questions" is not a list; write [{"question": "...", "answer": "..."}])"};
    }
    if (record.contains("question")) {
      questions.push_back({{"question", record["question"]}, {"answer", record.value("answer", json())}});
    }
    for (const json& item : questions) {
      if (!item.is_object()) {
        throw Wrong{R"(one of "questions" is not an object; write {"question": "...", "answer": "..."})"};
      }
      const auto text = [&](const char* key) {
        const auto found = item.find(key);
        return text_in(found == item.end() ? nullptr : &*found, key);
      };
      std::string question = text("question"), answer = text("answer");
      if (!wishes_.describe.empty() && question == wishes_.describe) {
        add_once(said.described.captions, std::move(answer));  // it is asked anew of every picture with a caption
      } else {
        said.described.questions.push_back({std::move(question), std::move(answer)});
      }
    }
  }

  /// A table has numbers as texts.
  std::string class_in(const json& value) const {
    const std::string text = value.is_number_unsigned() ? value.dump() : text_in(&value, "class");
    const bool number = text.find_first_not_of("0123456789") == std::string::npos && !text.empty() && text.size() < 10;
    if (!number || std::ranges::find(wishes_.classes, text) != wishes_.classes.end()) return text;
    const std::size_t place = std::stoul(text);
    return place < wishes_.classes.size() ? wishes_.classes[place] : text;
  }

  void name_unknown_keys(const json& record, const std::string& where) {
    static const std::set<std::string, std::less<>> known = {
        "file",  "file_name", "filename", "image", "path",      "caption",  "captions", "text", "blip_caption",
        "class", "label",     "category", "id",    "questions", "question", "answer",   "split"};
    for (const auto& [key, value] : record.items()) {
      if (!known.contains(key)) aside_.add(fmt::format("key \"{}\", which is not known", printable(key)), where);
    }
  }

  static void merge(Entry& said, Entry& entry) {
    if (!said.label.empty() && !entry.label.empty() && said.label != entry.label) {
      throw Wrong{fmt::format("'{}' is of class '{}' here and '{}' before; keep one", entry.described.id, said.label,
                              entry.label)};
    }
    if (said.share != Share::unknown && entry.share != Share::unknown && said.share != entry.share) {
      throw Wrong{fmt::format("'{}' had another \"split\" before; keep one", entry.described.id)};
    }
    for (std::string& caption : said.described.captions) add_once(entry.described.captions, std::move(caption));
    std::ranges::move(said.described.questions, std::back_inserter(entry.described.questions));
    if (!said.label.empty()) entry.label = said.label;
    if (said.share != Share::unknown) entry.share = said.share;
    entry.listed = true;
  }

  /// Whether the folders on top divide the pictures into shares: one that is trained on, and another.
  bool take_shares_of_folders() {
    std::set<Share> shares;
    for (const fs::path& picture : listing_.pictures) shares.insert(share_of_folder(picture));
    if (!shares.contains(Share::train) || shares.size() < (shares.contains(Share::unknown) ? 3U : 2U)) return false;
    for (std::size_t i = 0; i < listing_.pictures.size(); ++i) {
      Entry& entry = contents_.entries[i];
      if (entry.share == Share::unknown) entry.share = share_of_folder(listing_.pictures[i]);
    }
    return true;
  }

  /// The folder that a picture lies in, blanks for underscores; empty if it lies on top or in a folder of a share.
  static std::string folder_name(const fs::path& picture, bool folders_are_shares) {
    const fs::path folder = picture.parent_path();
    if (folder.empty()) return {};
    if (folders_are_shares && share_of_folder(picture) != Share::unknown && folder == *picture.begin()) return {};
    std::string name = folder.filename().string();
    std::ranges::replace(name, '_', ' ');
    return name;
  }

  /// Folders are classes if nothing else describes the pictures and all lie in two or more, or if they are called so.
  void take_classes_of_folders(bool folders_are_shares) {
    std::set<std::string> found;
    for (const fs::path& picture : listing_.pictures) found.insert(folder_name(picture, folders_are_shares));
    const bool all = contents_.sources.empty() && wishes_.classes.empty() && found.size() > 1 && !found.contains("");
    for (std::size_t i = 0; i < listing_.pictures.size(); ++i) {
      Entry& entry = contents_.entries[i];
      const std::string name = folder_name(listing_.pictures[i], folders_are_shares);
      if (!entry.label.empty() || (!all && std::ranges::find(wishes_.classes, name) == wishes_.classes.end())) continue;
      if (!contents_.sources.empty() && !entry.listed) continue;  // it has no line, and is left aside
      entry.label = name;
      entry.listed = true;
      from_folders_ = true;
    }
    if (from_folders_) contents_.sources.insert("names of folders");
  }

  /// Where lists describe the pictures, those without a line are not wanted; else nothing need be known of any.
  void leave_unlisted() {
    const bool lists = std::ranges::any_of(contents_.sources, [](const std::string& source) {
      return source != "text files" && source != "names of folders";
    });
    if (!lists) return;
    for (const fs::path& text : listing_.texts) aside_.add("text files, as lists describe the pictures", text.string());
    std::erase_if(contents_.entries, [&](const Entry& entry) {
      if (!entry.listed) aside_.add("pictures without a line", entry.described.id);
      return !entry.listed;
    });
  }

  void collect_classes() {
    std::set<std::string> found;
    for (const Entry& entry : contents_.entries) {
      if (!entry.label.empty()) found.insert(entry.label);
    }
    contents_.classes = wishes_.classes;
    if (contents_.classes.empty()) contents_.classes.assign(found.begin(), found.end());
    for (const std::string& name : found) {
      if (std::ranges::find(contents_.classes, name) != contents_.classes.end()) continue;
      problems_.add(fmt::format("the class '{}' is not one of `classes`; add it there, or correct it", name));
    }
  }

  void fulfil(Entry& entry) const {
    auto& [id, captions, questions] = entry.described;
    if (captions.empty() && !entry.label.empty()) captions.push_back(caption_of(wishes_, entry.label));
    const auto ask = [&](const std::string& question, const std::string& answer) {
      const bool asked = std::ranges::any_of(questions, [&](const auto& known) { return known.text == question; });
      if (!asked) questions.push_back({question, answer});
    };
    if (!wishes_.question.empty() && !entry.label.empty()) ask(wishes_.question, entry.label);
    if (!wishes_.describe.empty() && !captions.empty()) ask(wishes_.describe, captions.front());
  }

  const fs::path& folder_;
  const Wishes& wishes_;
  Tally& aside_;
  Listing listing_;
  PictureNames names_;
  Problems problems_;
  Contents contents_;
  bool from_folders_ = false;
};

}  // namespace

std::string caption_of(const Wishes& wishes, const std::string& label) {
  constexpr std::string_view place = "{class}";
  std::string caption = wishes.caption;
  return caption.replace(caption.find(place), place.size(), label);
}

Contents read_contents(const fs::path& folder, const Wishes& wishes, Tally& aside) {
  return ContentsReader(folder, wishes, aside).read();
}

}  // namespace blip3u::image_folder
