#include "recovery/recoveryctl/draft.hpp"

#include "recovery/recoveryctl/failure.hpp"

#include <filesystem>
#include <system_error>

namespace twophase::recoveryctl {

Draft::Draft(const std::string& target)
    : target_(target), path_(target + ".partial"), file_(path_, std::ios::binary) {}

Draft::~Draft() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
}

void Draft::publish() {
    file_.close();
    if (!file_) throw Failure(Exit::not_possible, "can't write " + path_);
    std::filesystem::rename(path_, target_);
}

}  // namespace twophase::recoveryctl
