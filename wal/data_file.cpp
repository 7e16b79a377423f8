// The check of a data file before LMDB maps it, by the layout of LMDB 0.9's two meta pages.
#include "wal/disk.hpp"
#include "wal/environment.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

namespace twophase::wal {
namespace {

constexpr std::uint32_t lmdb_magic = 0xBEEFC0DE;
constexpr std::uint32_t lmdb_version = 1;
constexpr std::uint64_t no_page = ~std::uint64_t{0};

// LMDB writes its own structs, in the machine's order; these are theirs.
struct TableRoot {
    std::uint32_t page_bytes;  // in the first of the two
    std::uint16_t flags, depth;
    std::uint64_t branch_pages, leaf_pages, overflow_pages, entries, root;
};
struct MetaPage {
    std::array<char, 16> header;
    std::uint32_t magic, version;
    std::uint64_t address, map_bytes;
    std::array<TableRoot, 2> tables;
    std::uint64_t last_page, batch;
};
static_assert(sizeof(MetaPage) == 152);

class File {
public:
    explicit File(const std::filesystem::path& path)
        : file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
    ~File() {
        if (file_ >= 0) ::close(file_);
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;

    bool is_open() const { return file_ >= 0; }
    std::uint64_t size() const {
        struct stat status {};
        return ::fstat(file_, &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
    }
    MetaPage meta_at(std::uint64_t offset) const {
        MetaPage meta{};  // stays zero, and so is refused, where the file ends early
        // A disk that can't be read now is not a damaged store: nobody should restore a backup.
        if (::pread(file_, &meta, sizeof meta, static_cast<off_t>(offset)) < 0)
            throw StoreError(errno, "read the data file");
        return meta;
    }

private:
    int file_;
};

bool is_lmdb(const MetaPage& meta) {
    return meta.magic == lmdb_magic && meta.version == lmdb_version;
}

bool has_valid_roots(const MetaPage& meta) {
    return std::ranges::all_of(meta.tables, [&](const TableRoot& table) {
        return table.root == no_page || table.root <= meta.last_page;
    });
}

// LMDB numbers its batches and writes their meta pages in turn, so each page's parity is fixed and
// the two are neighbours: most damage to a number shows.
bool are_neighbours(const MetaPage& even, const MetaPage& odd) {
    if (even.batch == 0 && odd.batch == 0) return true;  // created, never written
    if (even.batch % 2 != 0 || odd.batch % 2 != 1) return false;
    return even.batch + 1 == odd.batch || odd.batch + 1 == even.batch;
}

std::string fault_of(const File& file) {
    const std::uint64_t size = file.size();
    const MetaPage first = file.meta_at(0);
    const std::uint64_t page_bytes = first.tables[0].page_bytes;
    if (!is_lmdb(first) || page_bytes < 512 || page_bytes > 65536)
        return "its first page is not LMDB's or is damaged";
    const MetaPage second = file.meta_at(page_bytes);
    if (size < 2 * page_bytes) return "it is truncated: " + std::to_string(size) + " bytes";
    if (!is_lmdb(second)) return "its second page is damaged";
    if (!are_neighbours(first, second)) return "the numbers of its meta pages do not fit";
    const MetaPage& newest = first.batch > second.batch ? first : second;
    if (!has_valid_roots(newest)) return "its newest meta page is damaged";
    // The store keeps its file longer than its last page (Environment::reserve), since LMDB need
    // not write a last page that it freed again in the same batch.
    if (size / page_bytes <= newest.last_page)
        return "it is truncated: " + std::to_string(size) + " bytes, its last page ends at " +
               std::to_string((newest.last_page + 1) * page_bytes);
    // An odd tail beyond the last page is what a growth cut short leaves; nothing is in it.
    return "";
}

}  // namespace

void check_data_file(const std::filesystem::path& directory, bool had_store) {
    const auto path = directory / "data.mdb";
    const File file(path);
    if (!file.is_open() && errno != ENOENT) throw StoreError(errno, "open " + path.string());
    // Before the first commit there may be no page yet.
    const bool is_nothing = !file.is_open() || file.size() == 0;
    if (is_nothing && had_store)
        throw StoreError::refused("the data file " + path.string() +
                                  " is empty or gone, and there was a store: restore a backup; or, "
                                  "if all of it may be lost, remove the directory");
    if (is_nothing) return;
    if (const std::string fault = fault_of(file); !fault.empty())
        throw StoreError::refused("the data file " + path.string() + " can't be used: " + fault +
                                  "; restore a backup");
}

}  // namespace twophase::wal
