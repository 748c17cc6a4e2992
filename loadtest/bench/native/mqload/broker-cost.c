/* CPU time and memory of the broker's processes, from /proc. A process that is gone counts nothing. */
#define _GNU_SOURCE
#include "mqload.h"
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/** Nanoseconds that the scheduler has given to all threads of a process: the first field of /proc/PID/task/TID/schedstat.
 * Exact where clock ticks are not: a broker that wakes up for single messages is seldom running when a tick comes.
 * Negative on a kernel without them. */
static double scheduled_nanoseconds(int pid) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/task", pid);
  DIR *tasks = opendir(path);
  if (!tasks) return 0;
  double total = 0;
  int read_count = 0, task_count = 0;
  for (struct dirent *task; (task = readdir(tasks));) {
    if (task->d_name[0] == '.') continue;
    char file_path[sizeof path + sizeof task->d_name + 16];
    snprintf(file_path, sizeof file_path, "%s/%s/schedstat", path, task->d_name);
    task_count++;
    FILE *file = fopen(file_path, "r");
    if (!file) continue;
    unsigned long long nanoseconds;
    if (fscanf(file, "%llu", &nanoseconds) == 1) {
      total += nanoseconds;
      read_count++;
    }
    fclose(file);
  }
  closedir(tasks);
  return task_count > 0 && read_count == 0 ? -1 : total;
}

/** Seconds of user and system time of one process in clock ticks: fields 14 and 15 of /proc/PID/stat, counted after the
 * name, which may itself hold spaces and brackets. */
static double ticked_seconds(int pid) {
  char path[64], text[2048];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  FILE *file = fopen(path, "r");
  if (!file) return 0;
  size_t length = fread(text, 1, sizeof text - 1, file);
  fclose(file);
  text[length] = 0;
  char *after_name = strrchr(text, ')');
  unsigned long user, system;
  if (!after_name || sscanf(after_name + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2) return 0;
  return (double)(user + system) / sysconf(_SC_CLK_TCK);
}

static long rss_kilobytes(int pid) {
  char path[64];
  long resident = 0;
  snprintf(path, sizeof path, "/proc/%d/statm", pid);
  FILE *file = fopen(path, "r");
  if (!file) return 0;
  if (fscanf(file, "%*d %ld", &resident) != 1) resident = 0;
  fclose(file);
  return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

double broker_cpu_seconds(void) {
  double total = 0;
  for (int i = 0; i < options.pid_count; i++) {
    double nanoseconds = scheduled_nanoseconds(options.pids[i]);
    total += nanoseconds < 0 ? ticked_seconds(options.pids[i]) : nanoseconds * 1e-9;
  }
  return total;
}

long broker_rss_kilobytes(void) {
  long total = 0;
  for (int i = 0; i < options.pid_count; i++) total += rss_kilobytes(options.pids[i]);
  return total;
}
