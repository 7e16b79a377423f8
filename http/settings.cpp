#include "http/settings.hpp"

#include "http/fields.hpp"
#include "http/suggestion.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cassert>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <regex>
#include <sstream>
#include <stdexcept>
#include <unistd.h>
#include <utility>

namespace twophase::http {

namespace {

constexpr std::string_view environment_prefix = "TWOPHASE_";
constexpr const char* sample_flag = "--print-sample-config";
constexpr int exit_usage = 2;
// Of whoever starts the program, in a file as in a flag: as many participants as they like.
constexpr JsonLimits value_limits{.depth = 16, .members = 1'000'000};

// Thrown and caught within load_settings: the text says which source is wrong, and how.
class Refused : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

std::string flag_name(const std::string& name) {
    std::string flag = "--" + name;
    std::ranges::replace(flag, '_', '-');
    return flag;
}

std::string variable_name(const std::string& name) {
    std::string variable(environment_prefix);
    std::ranges::transform(name, std::back_inserter(variable), [](char c) {
        return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    return variable;
}

/// How a source writes a setting's name: plain, as a variable, as a flag.
using Form = std::string (*)(const std::string& name);

std::string member_name(const std::string& name) { return name; }

std::vector<std::string> names(const std::vector<Setting>& settings, Form form) {
    std::vector<std::string> out;
    for (const Setting& setting : settings) out.push_back(form(setting.name));
    return out;
}

/// What may be meant instead of a name that is none: by what it was once called, or by its look.
std::string suggest(const std::string& wrong,
                    const std::vector<Setting>& settings,
                    Form form,
                    const std::vector<std::string>& more = {}) {
    for (const Setting& setting : settings)
        for (const std::string& old : setting.old_names)
            if (form(old) == wrong) return "; did you mean " + form(setting.name) + "?";
    std::vector<std::string> known = names(settings, form);
    known.insert(known.end(), more.begin(), more.end());
    return suggestion(wrong, known);
}

void take(const Setting& setting, const Json& value, const std::string& source) {
    const std::string refusal = setting.take(value);
    if (!refusal.empty()) throw Refused(source + ": " + refusal);
}

// Takes what a variable or a flag says: as text where the setting takes text, else as JSON.
void take_text_from(const Setting& setting, const std::string& text, const std::string& source) {
    if (setting.fallback.is_string()) return take(setting, text, source);
    // Without a default nothing but the setter knows the kind.
    if (setting.fallback.is_null() && setting.take(text).empty()) return;
    const auto parsed = parse_json(text, value_limits);
    if (parsed) return take(setting, *parsed, source);
    throw Refused(source + ": \"" + text + "\" isn't a value such as " +
                  dump_replacing(setting.fallback));
}

void take_fallbacks(const std::vector<Setting>& settings) {
    for (const Setting& setting : settings) {
        if (setting.fallback.is_null()) continue;
        const std::string refusal = setting.take(setting.fallback);
        assert(refusal.empty() && "a default must be within its own range");
    }
}

void take_file(const std::vector<Setting>& settings, const std::string& file) {
    std::ifstream stream(file, std::ios::binary);
    std::ostringstream text;
    text << stream.rdbuf();
    if (!stream || std::filesystem::is_directory(file)) throw Refused(file + ": cannot be read");
    JsonLimits limits = value_limits;
    limits.comments = true;
    const auto parsed = parse_json(text.str(), limits);
    if (!parsed) {
        const FieldError& error = parsed.error();
        const std::string where = error.field.empty() ? "" : ": member " + error.field;
        throw Refused(file + where + ": expected " + error.expected);
    }
    if (!parsed->is_object()) throw Refused(file + ": expected a JSON object");
    for (const auto& member : parsed->items()) {
        const auto setting = std::ranges::find(settings, member.key(), &Setting::name);
        const std::string source = file + ": member " + member.key();
        if (setting == settings.end())
            throw Refused(source + ": no such setting" +
                          suggest(member.key(), settings, member_name));
        if (member.value().is_null() && setting->fallback.is_null()) continue;
        take(*setting, member.value(), source);
    }
}

/// Variables of this prefix that are no settings: the fault tests', and where recoveryctl finds a
/// running program.
bool is_of_others(std::string_view name) {
    return name.starts_with("TWOPHASE_CRASH_") || name.starts_with("TWOPHASE_TEST_") ||
           name == "TWOPHASE_COORDINATOR" || name == "TWOPHASE_PARTICIPANT";
}

/// Kubernetes' variables of a service whose name begins with "twophase", and Docker's of such a
/// link: every container of the namespace gets them, whether it wants them or not.
bool is_service_link(const std::string& name, std::string_view value) {
    static const std::regex by_name(
        ".*_SERVICE_(HOST|PORT|PORT_.+)|.*_PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?|"
        ".*_ENV_.+");
    const bool is_address =
        value.starts_with("tcp://") || value.starts_with("udp://") || value.starts_with("sctp://");
    return std::regex_match(name, by_name) || (name.ends_with("_PORT") && is_address) ||
           (name.ends_with("_NAME") && value.starts_with('/'));
}

void take_environment(const std::vector<Setting>& settings, const CommandLine& line) {
    const std::vector<std::string> known = names(settings, variable_name);
    std::vector<std::string> of_others;
    for (const std::string& name : line.settings_of_others)
        of_others.push_back(variable_name(name));
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string_view text = *entry;
        const std::size_t equals = std::min(text.find('='), text.size());
        const std::string name(text.substr(0, equals));
        const std::string value(text.substr(std::min(equals + 1, text.size())));
        if (!name.starts_with(environment_prefix) || is_of_others(name)) continue;
        if (is_service_link(name, value)) continue;
        const std::string source = "environment variable " + name;
        const auto found = std::ranges::find(known, name);
        if (found != known.end()) {
            const Setting& setting = settings[static_cast<std::size_t>(found - known.begin())];
            take_text_from(setting, value, source);
        } else if (std::ranges::find(of_others, name) == of_others.end()) {
            throw Refused(source + ": no such setting" +
                          suggest(name, settings, variable_name, of_others));
        }
    }
}

std::string describe(const Setting& setting) {
    std::string text = setting.meaning;
    if (!setting.unit.empty()) text += " [" + setting.unit + "]";
    if (!setting.fallback.is_null()) text += " (default " + dump_replacing(setting.fallback) + ")";
    return text;
}

// The command line: what was said, not yet what it means.
class Flags {
public:
    Flags(const std::vector<Setting>& settings, const CommandLine& line)
        : settings_(settings), app_(line.about, line.program) {
        app_.set_version_flag("--version", line.program + " " + line.version);
        app_.add_option("--config", config_, "A JSON file of settings; comments are allowed");
        app_.add_flag(std::string(sample_flag) + ",--sample-config",
                      wants_sample_,
                      "Print a sample of that file and exit");
        app_.allow_extras();
        for (const Setting& setting : settings) {
            std::string& text = texts_[setting.name];
            const std::string flag = flag_name(setting.name);
            if (setting.fallback.is_boolean()) {
                app_.add_flag(flag, text, describe(setting));
            } else {
                app_.add_option(flag, text, describe(setting));
            }
        }
    }

    /// An exit code when there is nothing left to do.
    std::optional<int> parse(const CommandLine& line) {
        try {
            app_.parse(line.argc, line.argv);
        } catch (const CLI::Success& success) {
            return app_.exit(success);
        } catch (const CLI::ParseError& error) {
            throw Refused(error.what());
        }
        for (const std::string& rest : app_.remaining()) {
            const std::string flag = rest.substr(0, rest.find('='));
            throw Refused(
                flag + ": no such flag" +
                suggest(
                    flag, settings_, flag_name, {"--config", sample_flag, "--help", "--version"}));
        }
        if (!wants_sample_) return std::nullopt;
        std::cout << sample_file(settings_);
        return 0;
    }

    const std::string& config() const { return config_; }

    void take_all() const {
        for (const Setting& setting : settings_) {
            const std::string flag = flag_name(setting.name);
            if (app_.count(flag) == 0) continue;
            take_text_from(setting, texts_.at(setting.name), flag);
        }
    }

private:
    const std::vector<Setting>& settings_;
    CLI::App app_;
    std::string config_;
    bool wants_sample_ = false;
    std::map<std::string, std::string> texts_;
};

/// Throws Refused.
void take_all_sources(const std::vector<Setting>& settings,
                      const CommandLine& line,
                      const Flags& flags) {
    take_fallbacks(settings);
    if (!flags.config().empty()) take_file(settings, flags.config());
    take_environment(settings, line);
    flags.take_all();
}

}  // namespace

std::function<std::string(const Json&)> take_text(std::string& target) {
    return [&target](const Json& value) -> std::string {
        if (!value.is_string()) return "expected text, got " + dump_replacing(value);
        target = value.get<std::string>();
        return {};
    };
}

std::function<std::string(const Json&)> take_path(std::filesystem::path& target) {
    return [&target](const Json& value) -> std::string {
        if (!value.is_string()) return "expected a path, got " + dump_replacing(value);
        target = value.get<std::string>();
        return {};
    };
}

std::function<std::string(const Json&)> take_boolean(bool& target) {
    return [&target](const Json& value) -> std::string {
        if (!value.is_boolean()) return "expected true or false, got " + dump_replacing(value);
        target = value.get<bool>();
        return {};
    };
}

std::string read_integer(const Json& value, std::int64_t min, std::int64_t max, std::int64_t& out) {
    const Json wrapped{{"value", value}};
    const Document document = document_of(wrapped);
    Fields fields(document.root());
    const std::int64_t number = fields.integer("value", min, max);
    if (fields.error()) {
        return "expected " + fields.error()->expected + ", got " + dump_replacing(value);
    }
    out = number;
    return {};
}

std::vector<Setting> noted(std::vector<Setting> settings, Values& values) {
    for (Setting& setting : settings)
        setting.take =
            [&values, name = setting.name, take = std::move(setting.take)](const Json& value) {
                std::string refusal = take(value);
                if (refusal.empty()) values[name] = value;
                return refusal;
            };
    return settings;
}

std::string load_settings_again(const std::vector<Setting>& settings, const CommandLine& line) {
    try {
        Flags flags(settings, line);
        flags.parse(line);
        // A pipe, as a shell makes it for <(...), would be waited for.
        if (!flags.config().empty() && !std::filesystem::is_regular_file(flags.config()))
            throw Refused(flags.config() + ": no file that can be read again");
        take_all_sources(settings, line, flags);
        return {};
    } catch (const std::exception& refused) {
        return refused.what();
    }
}

std::optional<int> load_settings(const std::vector<Setting>& settings, const CommandLine& line) {
    try {
        Flags flags(settings, line);
        if (const auto code = flags.parse(line)) return code;
        take_all_sources(settings, line, flags);
        return std::nullopt;
    } catch (const Refused& refused) {
        std::cerr << line.program << ": " << refused.what() << "\n";
        return exit_usage;
    }
}

std::string sample_file(const std::vector<Setting>& settings) {
    std::string out = "{\n";
    for (const Setting& setting : settings) {
        const bool is_last = &setting == &settings.back();
        std::string meaning = setting.meaning;
        if (!setting.unit.empty()) meaning += " [" + setting.unit + "]";
        for (std::size_t at = meaning.find('\n'); at != std::string::npos;
             at = meaning.find('\n', at + 1)) {
            meaning.insert(at + 1, "    // ");
        }
        out += "    // " + meaning + "\n";
        out +=
            "    \"" + setting.name + "\": " + setting.fallback.dump() + (is_last ? "\n" : ",\n");
    }
    return out + "}\n";
}

}  // namespace twophase::http
