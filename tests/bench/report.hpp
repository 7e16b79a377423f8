// What a run found: a table for people, and one JSON object with every figure for programs.
#pragma once

#include "http/json.hpp"
#include "tests/bench/load.hpp"
#include "tests/bench/servers.hpp"

#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace twophase::bench {

/// All rounds of one kind.
struct Row {
    std::string name;  // "64 clients"
    std::string side;  // "direct", "decision", ...
    std::size_t clients = 0;
    Measured measured;
    std::map<std::string, Used> used;  // by program, over all rounds
    double own_processor_seconds = 0;  // of the clients
    std::map<std::string, std::size_t> memory;
};

class Report {
public:
    void add(Row row) { rows_.push_back(std::move(row)); }
    /// A figure that belongs to no row, under "figures" with its unit in its name.
    void add(const std::string& name, double value) { figures_[name] = value; }
    /// More is better for every ratio.
    void add_ratio(const std::string& name, double value) { ratios_[name] = value; }
    /// What was left out, and why.
    void note(const std::string& text) { notes_.push_back(text); }

    Row* find(const std::string& name, const std::string& side);

    /// The table, the figures and the ratios, each a line.
    std::string table();
    http::Json json();

    /// Ratios below half of what `kept` (an object name → ratio) has for them, each as a sentence.
    std::vector<std::string> fallen(const http::Json& kept) const;

private:
    std::vector<Row> rows_;
    std::map<std::string, double> figures_;
    std::map<std::string, double> ratios_;
    std::vector<std::string> notes_;
};

}  // namespace twophase::bench
