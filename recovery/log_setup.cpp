// What connects spdlog, failed asserts and uncaught exceptions with the LogOutput.
#include "recovery/log_output.hpp"

#include <spdlog/details/os.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <string_view>
#include <unistd.h>
#include <utility>

namespace twophase::recovery {
namespace {

/// How long the end waits for the log's reader.
constexpr std::chrono::milliseconds flush_limit{500};

/// Never destroyed: threads may log until the process has ended.
std::atomic<LogOutput*> output{nullptr};

std::string_view color_of(spdlog::level::level_enum level) {
    switch (level) {
        case spdlog::level::trace: return "\033[37m";
        case spdlog::level::debug: return "\033[36m";
        case spdlog::level::info: return "\033[32m";
        case spdlog::level::warn: return "\033[33m\033[1m";
        case spdlog::level::err: return "\033[31m\033[1m";
        default: return "\033[1m\033[41m";
    }
}

class Sink final : public spdlog::sinks::base_sink<std::mutex> {
public:
    explicit Sink(LogOutput& to) : to_(to) {}
    ~Sink() override { to_.drain(flush_limit); }

private:
    void sink_it_(const spdlog::details::log_msg& message) override {
        spdlog::memory_buf_t formatted;
        formatter_->format(message, formatted);
        std::string line(formatted.data(), formatted.size());
        if (is_colored_ && message.color_range_end > message.color_range_start) {
            line.insert(message.color_range_end, "\033[m");
            line.insert(message.color_range_start, color_of(message.level));
        }
        to_.write(std::move(line), message.level >= spdlog::level::critical);
    }
    void flush_() override { to_.drain(flush_limit); }

    LogOutput& to_;
    const bool is_colored_ =
        spdlog::details::os::in_terminal(stderr) && spdlog::details::os::is_color_terminal();
};

[[noreturn]] void end_broken(const std::string& why) {
    spdlog::critical("broken invariant: {}", why);
    spdlog::default_logger()->flush();
    std::abort();
}

[[noreturn]] void on_terminate() {
    std::string why = "std::terminate was called";
    try {
        if (const auto exception = std::current_exception()) std::rethrow_exception(exception);
    } catch (const std::exception& e) {
        why = std::string("uncaught: ") + e.what();
    } catch (...) {
        why = "uncaught: what is no std::exception";
    }
    end_broken(why);
}

}  // namespace

void log_to_stderr(const std::string& program, const std::string& level) {
    if (output == nullptr) output = new LogOutput(STDERR_FILENO);
    LogOutput& to = *output;
    auto logger = std::make_shared<spdlog::logger>(program, std::make_shared<Sink>(to));
    // spdlog's own would write to standard error, and wait.
    logger->set_error_handler([&to](const std::string& why) {
        to.write("[log] a line could not be made: " + why + "\n");
    });
    spdlog::set_default_logger(std::move(logger));
    spdlog::set_level(spdlog::level::from_str(level));
    std::set_terminate(on_terminate);
}

std::uint64_t log_lines_dropped() {
    const LogOutput* to = output;
    return to == nullptr ? 0 : to->dropped();
}

std::string reopen_log() {
    LogOutput* to = output;
    return to == nullptr ? "there is no log" : to->reopen();
}

}  // namespace twophase::recovery

// What assert() calls. The C library's own writes to standard error, which may block for ever where
// nobody reads: then the process would neither work nor end.
extern "C" [[noreturn]] void __assert_fail(  // NOLINT: the C library's name
    const char* claim,
    const char* file,
    unsigned line,
    const char* function) noexcept {
    if (twophase::recovery::output == nullptr) {
        std::fprintf(stderr, "%s:%u: %s: Assertion `%s' failed.\n", file, line, function, claim);
        std::abort();
    }
    twophase::recovery::end_broken(std::string(file) + ":" + std::to_string(line) + ": " +
                                   function + ": " + claim);
}
