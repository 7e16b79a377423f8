#include "recovery/recoveryctl/draft.hpp"

#include "recovery/recoveryctl/failure.hpp"

#include <filesystem>
#include <system_error>
#include <unistd.h>

namespace twophase::recoveryctl {

namespace {

namespace fs = std::filesystem;

/// Where a link leads; a device or a pipe would be replaced by a file.
std::string regular_target(const std::string& target) {
    std::error_code none;
    fs::path real = target;
    constexpr int most_links = 40;  // more is a circle
    for (int links = 0; fs::is_symlink(real, none) && links < most_links; ++links)
        real = real.parent_path() / fs::read_symlink(real, none);
    if (fs::exists(real, none) && !fs::is_regular_file(real, none))
        throw Failure(Exit::not_possible,
                      target + " is no regular file; --to - writes to standard output");
    return real.string();
}

}  // namespace

Draft::Draft(const std::string& target)
    : target_(regular_target(target)),
      path_(target_ + ".partial-" + std::to_string(::getpid())),
      file_(path_, std::ios::binary) {}

Draft::~Draft() {
    std::error_code ignored;
    fs::remove(path_, ignored);
}

void Draft::publish() {
    file_.close();
    if (!file_) throw Failure(Exit::not_possible, "can't write " + path_);
    std::error_code error;
    fs::rename(path_, target_, error);
    if (error)
        throw Failure(Exit::not_possible, "can't name it " + target_ + ": " + error.message());
}

}  // namespace twophase::recoveryctl
