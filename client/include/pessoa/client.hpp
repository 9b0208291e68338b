// Everything of the client at once. The parts stand alone too.
#pragma once

#include "pessoa/admin.hpp"
#include "pessoa/cluster.hpp"
#include "pessoa/consumer.hpp"
#include "pessoa/producer.hpp"
