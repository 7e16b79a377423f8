// Prometheus text as a scraper reads it: strictly, sample by sample.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>

namespace twophase::recovery::testing {

/// Reads the text format 0.0.4. Whatever a scraper would stumble over is a test failure.
class Scraped {
public:
    explicit Scraped(const std::string& text) {
        EXPECT_TRUE(text.ends_with("\n"));
        std::istringstream lines(text);
        for (std::string line; std::getline(lines, line);) read(line);
        check_histograms();
    }

    /// The value of `name{label="value",...}`, labels in the order of their names; a test failure
    /// when there is none.
    double operator[](const std::string& sample) const {
        const auto found = values_.find(sample);
        if (found == values_.end()) {
            ADD_FAILURE() << "no sample " << sample;
            return -1;
        }
        return found->second;
    }
    bool has(const std::string& sample) const { return values_.contains(sample); }
    /// "counter", "gauge", "histogram"; empty for what is not there.
    std::string type(const std::string& name) const {
        const auto found = types_.find(name);
        return found == types_.end() ? "" : found->second;
    }
    /// Sum over all samples of this name.
    double sum(const std::string& name) const {
        double all = 0;
        for (const auto& [sample, value] : values_)
            if (sample == name || sample.starts_with(name + "{")) all += value;
        return all;
    }
    const std::map<std::string, double>& values() const { return values_; }

private:
    void read(const std::string& line) {
        static const std::regex help("# HELP ([a-z][a-z0-9_]*) [A-Z0-9].*\\.");
        static const std::regex type("# TYPE ([a-z][a-z0-9_]*) (counter|gauge|histogram)");
        static const std::regex sample(
            R"re(([a-z][a-z0-9_]*)(\{[a-z_]+="[^"\\\n]*"(,[a-z_]+="[^"\\\n]*")*\})? (\S+))re");
        std::smatch part;
        if (std::regex_match(line, part, help)) {
            EXPECT_TRUE(helped_.insert(part[1]).second) << "a family in two pieces: " << line;
        } else if (std::regex_match(line, part, type)) {
            name_ = part[1];
            EXPECT_TRUE(types_.emplace(name_, part[2]).second) << line;
            EXPECT_TRUE(helped_.contains(name_)) << line;
            EXPECT_EQ(name_.ends_with("_total"), part[2] == "counter") << line;
        } else if (std::regex_match(line, part, sample)) {
            const std::string own = part[1];
            const bool is_part =
                type_is_histogram() &&
                (own == name_ + "_bucket" || own == name_ + "_sum" || own == name_ + "_count");
            EXPECT_TRUE(type_is_histogram() ? is_part : own == name_) << line;
            EXPECT_TRUE(values_.emplace(own + part[2].str(), std::stod(part[4])).second)
                << "twice: " << line;
        } else {
            ADD_FAILURE() << "not a line of the format: " << line;
        }
    }

    bool type_is_histogram() const { return type(name_) == "histogram"; }

    void check_histograms() const {
        static const std::regex inf(R"re((.*)_bucket\{(.*),?le="\+Inf"\})re");
        std::smatch part;
        for (const auto& [sample, value] : values_) {
            if (!std::regex_match(sample, part, inf)) continue;
            std::string labels = part[2];
            if (labels.ends_with(",")) labels.pop_back();
            const std::string count =
                part[1].str() + "_count" + (labels.empty() ? "" : "{" + labels + "}");
            EXPECT_EQ((*this)[count], value) << sample;
        }
    }

    std::map<std::string, double> values_;
    std::map<std::string, std::string> types_;
    std::set<std::string> helped_;
    std::string name_;  // of the family that is being read
};

}  // namespace twophase::recovery::testing
