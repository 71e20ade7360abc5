#include "io/array_file.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <fmt/format.h>
#include <hdf5.h>

#include <cstring>
#include <fstream>
#include <optional>
#include <utility>

#include "blip3u/error.h"
#include "io/files.h"
#include "io/hash.h"

namespace blip3u {

namespace {

// The file begins with a block that HDF5 leaves to its users. It holds a checksum of the rest, because the HDF5 library
// is not made to be given damaged files.
constexpr std::size_t user_block = 512;
constexpr std::string_view marker = "blip3u array file, sha256 of what follows the first 512 bytes: ";
constexpr std::size_t memory_step = 512;  // what the file is rounded up to

/// An identifier of HDF5 and the function that closes it.
class Handle {
 public:
  Handle(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, H5I_INVALID_HID)), close_(other.close_) {}
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() { close(); }

  operator hid_t() const { return id_; }  // NOLINT(google-explicit-constructor): stands for the identifier in calls
  bool valid() const { return id_ >= 0; }
  bool close() { return id_ < 0 || close_(std::exchange(id_, H5I_INVALID_HID)) >= 0; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

/// HDF5 prints its errors unless told not to; ours are thrown.
void silence() { H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr); }

hid_t type_of(at::ScalarType type) {
  switch (type) {
    case at::kFloat: return H5T_NATIVE_FLOAT;
    case at::kDouble: return H5T_NATIVE_DOUBLE;
    case at::kLong: return H5T_NATIVE_INT64;
    default: throw Error(fmt::format("array files hold float32, float64 and int64, not {}", c10::toString(type)));
  }
}

bool write_dataset(hid_t file, const NamedTensor& array) {
  const Tensor value = array.value.detach().to(at::kCPU).contiguous();
  std::vector<hsize_t> shape(value.sizes().begin(), value.sizes().end());
  const hid_t type = type_of(value.scalar_type());
  Handle space(H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr), H5Sclose);
  const Handle creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  H5Pset_obj_track_times(creation, false);  // else the same arrays would make another file every second
  Handle data(H5Dcreate2(file, array.name.c_str(), type, space, H5P_DEFAULT, creation, H5P_DEFAULT), H5Dclose);
  return data.valid() &&
         (value.numel() == 0 || H5Dwrite(data, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, value.const_data_ptr()) >= 0) &&
         data.close();
}

/// The file is laid out in memory and then written at once: HDF5 that meets a full disk cannot close its file, and
/// crashes when the program ends.
void write_arrays(const std::filesystem::path& path, const std::vector<NamedTensor>& arrays) {
  silence();
  const Handle layout(H5Pcreate(H5P_FILE_CREATE), H5Pclose);
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  H5Pset_userblock(layout, user_block);
  H5Pset_fapl_core(access, memory_step, /*backing_store=*/false);
  const Handle file(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, layout, access), H5Fclose);
  bool sound = file.valid();
  for (const NamedTensor& array : arrays) sound = sound && write_dataset(file, array);
  hsize_t size = 0;
  void* memory = nullptr;
  sound = sound && H5Fflush(file, H5F_SCOPE_LOCAL) >= 0 && H5Fget_filesize(file, &size) >= 0 &&
          H5Fget_vfd_handle(file, access, &memory) >= 0;
  if (!sound || size < user_block) {
    throw Error(fmt::format("{}: HDF5 could not lay out its arrays; is there enough memory?", path.string()));
  }
  const std::string_view content(*static_cast<char**>(memory), size);
  std::string head(marker);
  head += sha256_text(content.substr(user_block)) + "\n";
  head.resize(user_block);
  write_atomically(path, {head, content.substr(user_block)});
}

/// Some rows of a data set, or all of it; an undefined tensor if there is none that we can read.
Tensor read_dataset(hid_t file, const char* name,
                    const std::optional<std::pair<std::int64_t, std::int64_t>>& rows = {}) {
  Handle data(H5Dopen2(file, name, H5P_DEFAULT), H5Dclose);
  if (!data.valid()) return {};
  Handle space(H5Dget_space(data), H5Sclose);
  Handle type(H5Dget_type(data), H5Tclose);
  const int rank = H5Sget_simple_extent_ndims(space);
  if (rank < (rows ? 1 : 0)) return {};
  std::vector<hsize_t> extents(static_cast<std::size_t>(rank));
  H5Sget_simple_extent_dims(space, extents.data(), nullptr);
  if (rows) {
    const auto first = static_cast<hsize_t>(rows->first), count = static_cast<hsize_t>(rows->second);
    if (rows->first < 0 || rows->second < 0 || first > extents[0] || count > extents[0] - first) return {};
    std::vector<hsize_t> start(extents.size());
    start[0] = first;
    extents[0] = count;
    if (count > 0) H5Sselect_hyperslab(space, H5S_SELECT_SET, start.data(), nullptr, extents.data(), nullptr);
  }
  const Handle memory(H5Screate_simple(rank, extents.data(), nullptr), H5Sclose);
  for (const at::ScalarType candidate : {at::kFloat, at::kDouble, at::kLong}) {
    if (H5Tequal(type, type_of(candidate)) <= 0) continue;
    const std::vector<std::int64_t> shape(extents.begin(), extents.end());
    Tensor result = at::empty(shape, at::TensorOptions(at::kCPU).dtype(candidate));
    if (result.numel() > 0 && H5Dread(data, type_of(candidate), memory, space, H5P_DEFAULT, result.data_ptr()) < 0) {
      return {};
    }
    return result;
  }
  return {};
}

/// Opens a file whose content is as it was written, or was when it was found sound. Throws Error that says what is
/// wrong.
Handle open_checked(const std::filesystem::path& path, bool sound = false) {
  std::string head(marker.size() + 64, '\0');
  std::ifstream(path, std::ios::binary).read(head.data(), static_cast<std::streamsize>(head.size()));
  if (!head.starts_with(marker)) throw Error(fmt::format("{}: not an array file of this toolkit", path.string()));
  if (!sound && head.substr(marker.size()) != sha256_file(path, user_block)) {
    throw Error(fmt::format("{}: truncated or damaged: its content does not match its checksum", path.string()));
  }
  silence();
  Handle file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose);
  if (!file.valid()) throw Error(fmt::format("{}: cannot be read as HDF5", path.string()));
  return file;
}

}  // namespace

struct ArrayFile::State {
  Tensor sound(Tensor array, const std::string& name) const {
    if (!array.defined()) {
      throw Error(fmt::format("{}: lacks '{}', or the rows that were asked for; delete it to make it anew",
                              path.string(), name));
    }
    return array;
  }

  std::filesystem::path path;
  Handle file;
};

ArrayFile::ArrayFile(const std::filesystem::path& path, bool sound)
    : state_(new State{path, open_checked(path, sound)}) {}
ArrayFile::~ArrayFile() = default;
ArrayFile::ArrayFile(ArrayFile&&) noexcept = default;

void ArrayFile::write(const std::filesystem::path& path, const std::vector<NamedTensor>& arrays) {
  write_arrays(path, arrays);
}

bool ArrayFile::holds(const std::string& name) const { return H5Lexists(state_->file, name.c_str(), H5P_DEFAULT) > 0; }

Tensor ArrayFile::read(const std::string& name) const {
  return state_->sound(read_dataset(state_->file, name.c_str()), name);
}

Tensor ArrayFile::read_rows(const std::string& name, std::int64_t first, std::int64_t count) const {
  return state_->sound(read_dataset(state_->file, name.c_str(), std::pair(first, count)), name);
}

void write_series(const std::filesystem::path& path, const std::vector<Column>& columns) {
  std::vector<NamedTensor> arrays;
  arrays.reserve(columns.size());
  for (const Column& column : columns) {
    // Only read from: from_blob asks for a pointer to change.
    arrays.push_back({column.name, at::from_blob(const_cast<double*>(column.values.data()),
                                                 static_cast<std::int64_t>(column.values.size()),
                                                 at::TensorOptions(at::kCPU).dtype(at::kDouble))});
  }
  write_arrays(path, arrays);
}

std::vector<Column> read_series(const std::filesystem::path& path) {
  const Handle file = open_checked(path);
  std::vector<Column> columns;
  const auto visit = [](hid_t group, const char* name, const H5L_info_t*, void* target) -> herr_t {
    const Tensor values = read_dataset(group, name);
    if (!values.defined() || values.dim() != 1 || values.scalar_type() != at::kDouble) return -1;
    const auto* first = values.const_data_ptr<double>();
    static_cast<std::vector<Column>*>(target)->push_back({name, {first, first + values.numel()}});
    return 0;
  };
  if (H5Literate(file, H5_INDEX_NAME, H5_ITER_INC, nullptr, visit, &columns) < 0) {
    throw Error(fmt::format("{}: holds something other than columns of numbers; name a file of losses", path.string()));
  }
  return columns;
}

}  // namespace blip3u
