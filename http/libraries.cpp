// The one place where the functions of Asio, Beast and Boost.JSON are compiled.
#include <boost/asio/impl/src.hpp>
#include <boost/beast/src.hpp>
#include <boost/json/src.hpp>
