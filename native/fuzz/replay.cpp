/// Runs a harness over files and folders of inputs: regressions, coverage, valgrind.

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "common.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

// Harnesses refer to it in their mutator, which nobody calls here.
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t*, std::size_t size, std::size_t) {
    return size;
}

int main(int count, char** names) {
    std::size_t inputs = 0;
    const auto feed = [&inputs](const std::filesystem::path& path) {
        std::ifstream file(path, std::ios::binary);
        // A vector of the exact size, so that ASan sees a read past the input.
        const std::vector<char> text{std::istreambuf_iterator<char>(file), {}};
        const std::vector<std::uint8_t> data(text.begin(), text.end());
        LLVMFuzzerTestOneInput(data.data(), data.size());
        ++inputs;
    };
    for (int k = 1; k < count; ++k) {
        const std::filesystem::path path(names[k]);
        if (!std::filesystem::is_directory(path)) {
            if (std::filesystem::exists(path))
                feed(path);
            continue;
        }
        for (const auto& entry : std::filesystem::recursive_directory_iterator(path))
            if (entry.is_regular_file())
                feed(entry.path());
    }
    std::printf("%zu inputs\n", inputs);
    return 0;
}
