// What a responder was told, kept for a test to look at.
#pragma once

#include "actors/responder.hpp"

#include <memory>
#include <vector>

namespace pessoa::test {

template <class T>
using answers = std::shared_ptr<std::vector<result<T>>>;

// The list, and the responder that fills it. One answer is right; none and two are what tests look for.
template <class T>
std::pair<answers<T>, actors::responder_ptr<T>> listen() {
  auto heard = std::make_shared<std::vector<result<T>>>();
  return {heard,
          actors::make_responder<T>([heard](result<T> outcome) { heard->push_back(std::move(outcome)); })};
}

} // namespace pessoa::test
