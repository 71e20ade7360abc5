#include "io/lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include <fmt/format.h>

#include "blip3u/error.h"
#include "io/files.h"
#include "io/interrupt.h"
#include "io/say.h"

namespace blip3u {

FileLock::FileLock(const std::filesystem::path& file)
    : descriptor_(open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)) {
  if (descriptor_ < 0) throw_write_error(file, errno);
  bool said = false;
  while (flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) {
      const int reason = errno;
      close(descriptor_);
      throw_write_error(file, reason);
    }
    if (!said) say(fmt::format("{}: another blip3u is at work here; waiting for it", file.parent_path().string()));
    said = true;
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    if (interrupted()) {
      close(descriptor_);
      stop_if_interrupted();
    }
  }
}

FileLock::~FileLock() { close(descriptor_); }

}  // namespace blip3u
