// Between LMDB's C and ours: error codes to exceptions, views to views. For this folder's .cpp
// files.
#pragma once

#include "wal/environment.hpp"

#include <lmdb.h>

#include <string_view>

namespace twophase::wal {

inline void check(int code, const char* doing) {
    if (code != MDB_SUCCESS) throw StoreError(code, doing);
}

/// LMDB doesn't write through the pointer; its struct only lacks the const.
inline MDB_val to_value(std::string_view bytes) {
    return {bytes.size(), const_cast<char*>(bytes.data())};
}

inline std::string_view to_view(const MDB_val& value) {
    return {static_cast<const char*>(value.mv_data), value.mv_size};
}

}  // namespace twophase::wal
