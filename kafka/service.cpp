#include "kafka/service.hpp"

namespace pessoa::kafka {

bytes request_frame::view() const {
  auto owner = std::make_shared<const request_frame>(*this);
  return {owner, byte_view{owner->data.get(), owner->size}};
}

} // namespace pessoa::kafka
