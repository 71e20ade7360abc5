#include "pipeline/create.h"

#include <exception>
#include <filesystem>
#include <new>
#include <string>

#include <c10/util/Exception.h>
#include <fmt/format.h>

#include "io/files.h"
#include "pipeline/host.h"

namespace blip3u {

std::unique_ptr<Component> create_component(const CatalogEntry& entry, const std::string& name,
                                            const Parameters& parameters, const BuildContext& context) {
  const auto fail = [&](const std::string& reason) {
    return Error(
        Fault::plugin,
        fmt::format("{}: the factory of {} `{}` failed: {}; correct its parameters or report this to the "
                    "plugin's author",
                    entry.library_path, kind_name(entry.component->kind), name, reason.substr(0, reason.find('\n'))));
  };
  BuildContext hosted = context;
  if (!hosted.host) hosted.host = &plain_host();
  std::unique_ptr<Component> made;
  try {
    made = entry.component->create(parameters, hosted);
  } catch (const Error&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const c10::OutOfMemoryError&) {
    throw;
  } catch (const std::filesystem::filesystem_error& error) {
    throw error_of(error);  // not the factory's fault
  } catch (const c10::Error& error) {
    throw fail(error.what_without_backtrace());
  } catch (const std::exception& error) {
    throw fail(error.what());
  } catch (...) {
    throw fail("it threw an object that is not a std::exception");
  }
  if (!made) throw fail("it returned nothing");
  return made;
}

}  // namespace blip3u
