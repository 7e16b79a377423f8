#include "tests/bench/report.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <thread>
#include <utility>

namespace twophase::bench {
namespace {

using http::Json;

/// printf's, as text.
template <class... Values>
std::string format(const char* pattern, Values... values) {
    const int size = std::snprintf(nullptr, 0, pattern, values...);
    std::string text(static_cast<std::size_t>(size) + 1, 0);
    std::snprintf(text.data(), text.size(), pattern, values...);
    text.pop_back();
    return text;
}

std::string model_of_processor() {
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);)
        if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
    return "unknown";
}

double each(double total, const Row& row) {
    const auto tasks = double(row.measured.carried_out);
    return tasks > 0 ? total / tasks : 0;
}

/// "12 34 56": coordinator, credit and coupon.
template <class Take>
std::string three(const Row& row, const char* pattern, const Take& take) {
    std::string text;
    for (const char* name : Servers::names) {
        const auto found = row.used.find(name);
        text += (text.empty() ? "" : " ") +
                format(pattern, found == row.used.end() ? 0.0 : take(found->second));
    }
    return text;
}

double rounded(double value) { return std::round(value * 1e4) / 1e4; }

}  // namespace

Row* Report::find(const std::string& name, const std::string& side) {
    const auto found = std::ranges::find_if(
        rows_, [&](const Row& row) { return row.name == name && row.side == side; });
    return found == rows_.end() ? nullptr : &*found;
}

std::string Report::table() {
    std::string text = format("%-22s %-11s %8s %8s %8s %8s  %-21s %-14s %-14s %7s  %-11s\n",
                              "what",
                              "side",
                              "rate/s",
                              "p50 ms",
                              "p99 ms",
                              "p99.9",
                              "CPU us/tx: client +3",
                              "syncs/tx",
                              "requests/tx",
                              "KiB/tx",
                              "MiB");
    for (Row& row : rows_) {
        double written = 0;
        for (const auto& [name, used] : row.used) written += used.written_bytes;
        std::string memory;
        for (const char* name : Servers::names)
            memory += format("%.0f ", double(row.memory[name]) / (1 << 20));
        text += format(
            "%-22s %-11s %8.0f %8.2f %8.2f %8.2f  %-21s %-14s %-14s %7.2f  %-11s\n",
            row.name.c_str(),
            row.side.c_str(),
            row.measured.rate(),
            row.measured.quantile(0.5),
            row.measured.quantile(0.99),
            row.measured.quantile(0.999),
            (format("%.0f ", each(row.own_processor_seconds * 1e6, row)) +
             three(
                 row, "%.0f", [&](const Used& u) { return each(u.processor_seconds * 1e6, row); }))
                .c_str(),
            three(row, "%.2f", [&](const Used& u) { return each(u.commits, row); }).c_str(),
            three(row, "%.2f", [&](const Used& u) { return each(u.requests, row); }).c_str(),
            each(written / 1024, row),
            memory.c_str());
    }
    text += "\n";
    for (const auto& [name, value] : figures_)
        text += format("%-44s %12.2f\n", name.c_str(), value);
    text += "\nratios (more is better)\n";
    for (const auto& [name, value] : ratios_) text += format("%-44s %12.2f\n", name.c_str(), value);
    for (const std::string& note : notes_) text += "left out: " + note + "\n";
    return text;
}

Json Report::json() {
    Json rows = Json::array();
    for (Row& row : rows_) {
        Json json{{"name", row.name},
                  {"side", row.side},
                  {"clients", row.clients},
                  {"transactions", row.measured.carried_out},
                  {"rate", rounded(row.measured.rate())},
                  {"p50_ms", rounded(row.measured.quantile(0.5))},
                  {"p99_ms", rounded(row.measured.quantile(0.99))},
                  {"p999_ms", rounded(row.measured.quantile(0.999))},
                  {"client_cpu_us", rounded(each(row.own_processor_seconds * 1e6, row))}};
        for (const auto& [name, used] : row.used)
            json[name] = {{"cpu_us", rounded(each(used.processor_seconds * 1e6, row))},
                          {"commits", rounded(each(used.commits, row))},
                          {"requests", rounded(each(used.requests, row))},
                          {"written_bytes", rounded(each(used.written_bytes, row))},
                          {"memory_bytes", row.memory[name]}};
        rows.push_back(std::move(json));
    }
    Json json{
        {"machine",
         {{"cores", std::thread::hardware_concurrency()}, {"processor", model_of_processor()}}},
        {"rows", std::move(rows)},
        {"figures", Json::object()},
        {"ratios", Json::object()},
        {"left_out", notes_}};
    for (const auto& [name, value] : figures_) json["figures"][name] = rounded(value);
    for (const auto& [name, value] : ratios_) json["ratios"][name] = rounded(value);
    return json;
}

std::vector<std::string> Report::fallen(const Json& kept) const {
    std::vector<std::string> sentences;
    for (const auto& [name, value] : kept.items()) {
        const auto found = ratios_.find(name);
        const double now = found == ratios_.end() ? 0 : found->second;
        if (now < value.get<double>() / 2)
            sentences.push_back(format("%s is %.2f, less than half of the %.2f kept in the tree",
                                       name.c_str(),
                                       now,
                                       value.get<double>()));
    }
    return sentences;
}

}  // namespace twophase::bench
