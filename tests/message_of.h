// What an action complains about.
#pragma once

#include <string>

#include "blip3u/error.h"

namespace blip3u {

/// The message of the Error that an action throws; empty if it throws none.
template <class Action>
std::string message_of(const Action& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

}  // namespace blip3u
