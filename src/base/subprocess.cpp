#include "base/subprocess.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <thread>

#include "base/clock.h"
#include "base/descriptor.h"
#include "base/file.h"

namespace quern {

namespace {

constexpr size_t kComplaintBytes = 2000;  // of standard error, kept

struct Pipe {
  Descriptor read, write;
  Result<void> open() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return file_error("make", "a pipe", errno);
    read.take(ends[0]);
    write.take(ends[1]);
    return {};
  }
};

// A file in memory with these bytes, to be read from its start: unlike a pipe it never blocks or breaks.
Result<void> open_input(std::string_view input, Descriptor& file) {
  file.take(::memfd_create("input", MFD_CLOEXEC));
  if (file.get() < 0) return file_error("make", "a file in memory", errno);
  for (size_t written = 0; written < input.size();) {
    const ssize_t count = ::write(file.get(), input.data() + written, input.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return file_error("write", "a file in memory", errno);
    written += static_cast<size_t>(count);
  }
  ::lseek(file.get(), 0, SEEK_SET);
  return {};
}

// In a process group of its own, so that all of it can be killed.
int spawn(const std::vector<std::string>& argv, int in, int out, int complaints, pid_t& pid) {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawnattr_init(&attributes);
  ::posix_spawn_file_actions_adddup2(&files, in, STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&files, complaints, STDERR_FILENO);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  std::vector<char*> words;
  words.reserve(argv.size() + 1);
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  const int failed = ::posix_spawnp(&pid, words[0], &files, &attributes, words.data(), environ);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&files);
  return failed;
}

// Reads what is there; false at the end.
bool read_some(int fd, std::string& text) {
  std::array<char, 65536> buffer;
  const ssize_t count = ::read(fd, buffer.data(), buffer.size());
  if (count < 0) return errno == EINTR || errno == EAGAIN;
  text.append(buffer.data(), static_cast<size_t>(count));
  return count > 0;
}

enum class End { exited, late, too_much };

struct Running {
  pid_t pid = 0;
  Pipe out, complaints;
  std::string text, complaint;

  // Until both streams are closed and the process is gone.
  End wait(const ProgramLimits& limits, int& status) {
    const Stopwatch watch;
    while (out.read.get() >= 0 || complaints.read.get() >= 0) {
      const double left = limits.seconds - watch.seconds();
      if (left <= 0.0) return End::late;
      std::array<pollfd, 2> polled = {
          {{out.read.get(), POLLIN, 0}, {complaints.read.get(), POLLIN, 0}}};  // poll passes over -1
      ::poll(polled.data(), polled.size(), static_cast<int>(std::min(left, 1.0) * 1000.0) + 1);
      if (polled[0].revents != 0 && !read_some(out.read.get(), text)) out.read.close();
      if (polled[1].revents != 0 && !read_some(complaints.read.get(), complaint)) complaints.read.close();
      if (complaint.size() > kComplaintBytes) complaint.erase(0, complaint.size() - kComplaintBytes);
      if (text.size() > limits.output_bytes) return End::too_much;
    }
    for (;;) {
      const pid_t gone = ::waitpid(pid, &status, WNOHANG);
      if (gone == pid) return End::exited;
      if (watch.seconds() > limits.seconds) return End::late;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }

  void kill_all() {
    ::kill(-pid, SIGKILL);
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
};

}  // namespace

Result<std::string> run_program(const std::vector<std::string>& argv, std::string_view input,
                                const ProgramLimits& limits) {
  Descriptor in;
  Running running;
  QUERN_CHECK(open_input(input, in));
  QUERN_CHECK(running.out.open());
  QUERN_CHECK(running.complaints.open());
  const int failed =
      spawn(argv, in.get(), running.out.write.get(), running.complaints.write.get(), running.pid);
  if (failed != 0) return file_error("run", argv[0], failed);
  running.out.write.close();
  running.complaints.write.close();
  int status = 0;
  const End end = running.wait(limits, status);
  const auto stopped = [&](ErrorCode code, const std::string& how) {
    const std::string said = running.complaint.empty() ? "" : ":\n" + running.complaint;
    return make_error(code, fmt::format("{} {}{}", argv[0], how, said));
  };
  if (end == End::exited && WIFEXITED(status) && WEXITSTATUS(status) == 0) return std::move(running.text);
  if (end == End::exited) {
    return stopped(ErrorCode::unavailable, WIFSIGNALED(status)
                                               ? fmt::format("was ended by signal {}", WTERMSIG(status))
                                               : fmt::format("ended with status {}", WEXITSTATUS(status)));
  }
  running.kill_all();
  if (end == End::late)
    return stopped(ErrorCode::deadline, fmt::format("was not done after {} seconds", limits.seconds));
  return stopped(ErrorCode::invalid_argument, fmt::format("wrote more than {} bytes", limits.output_bytes));
}

}  // namespace quern
