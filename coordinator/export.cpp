#include "coordinator/export.hpp"

#include "coordinator/protocol/gid.hpp"
#include "coordinator/record_json.hpp"
#include "http/json.hpp"

namespace twophase::coordinator {
namespace {

using http::Json;

std::string to_hex(const std::string& bytes) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string hex;
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        hex += digits[byte >> 4];
        hex += digits[byte & 15];
    }
    return hex;
}

}  // namespace

std::string export_line(const wal::StoredTransaction& stored) {
    Json json{
        {"gid", to_text(stored.gid)}, {"finished", stored.is_finished}, {"records", Json::array()}};
    if (!stored.damage.empty()) json["damage"] = stored.damage;
    for (const wal::StoredRecord& record : stored.records) {
        const auto stamped = decode(stored.gid, record.payload);
        // What an earlier build wrote in JSON says something even where it isn't understood.
        Json payload = Json::parse(stamped ? json_of(*stamped) : record.payload, nullptr, false);
        if (!payload.is_object()) payload = Json{{"unreadable", to_hex(record.payload)}};
        payload["n"] = record.n;
        json["records"].push_back(std::move(payload));
    }
    return http::dump_replacing(json);
}

}  // namespace twophase::coordinator
