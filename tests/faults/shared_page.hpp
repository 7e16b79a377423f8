// A struct of atomics in a file that a test and the programs under test map together, so that a
// fault can be armed in a program that runs.
#pragma once

#include <cstdint>
#include <fcntl.h>
#include <filesystem>
#include <new>
#include <stdexcept>
#include <sys/mman.h>
#include <unistd.h>

namespace twophase::faults {

template <class Page>
class SharedPage {
public:
    explicit SharedPage(std::filesystem::path file) : file_(std::move(file)) {
        const int made = ::open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (made < 0 || ::ftruncate(made, sizeof(Page)) != 0)
            throw std::runtime_error("no file to share: " + file_.string());
        void* at = ::mmap(nullptr, sizeof(Page), PROT_READ | PROT_WRITE, MAP_SHARED, made, 0);
        ::close(made);
        if (at == MAP_FAILED) throw std::runtime_error("can't map " + file_.string());
        page_ = new (at) Page;
    }
    ~SharedPage() { ::munmap(page_, sizeof(Page)); }
    SharedPage(const SharedPage&) = delete;
    SharedPage& operator=(const SharedPage&) = delete;

    Page* operator->() const { return page_; }
    const std::filesystem::path& file() const { return file_; }

private:
    std::filesystem::path file_;
    Page* page_ = nullptr;
};

}  // namespace twophase::faults
