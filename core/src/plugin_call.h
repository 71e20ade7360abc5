// Calls code of a plugin and answers for what it throws.
#pragma once

#include <exception>
#include <filesystem>
#include <functional>
#include <new>
#include <string>

#include <c10/util/Exception.h>

#include "blip3u/error.h"
#include "io/files.h"

namespace blip3u {

/// What `call` returns. What it throws besides blip3u::Error and lack of memory becomes fail(its first line); what the
/// file system refused becomes an Error that names the file, since it is not the plugin's fault.
template <class Call>
auto call_plugin(const Call& call, const std::function<Error(const std::string& reason)>& fail) {
  const auto first_line = [](const std::string& text) { return text.substr(0, text.find('\n')); };
  try {
    return call();
  } catch (const Error&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const c10::OutOfMemoryError&) {
    throw;
  } catch (const std::filesystem::filesystem_error& error) {
    throw error_of(error);
  } catch (const c10::Error& error) {
    throw fail(first_line(error.what_without_backtrace()));
  } catch (const std::exception& error) {
    throw fail(first_line(error.what()));
  } catch (...) {
    throw fail("it threw an object that is not a std::exception");
  }
}

}  // namespace blip3u
