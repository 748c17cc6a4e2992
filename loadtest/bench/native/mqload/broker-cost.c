/* CPU time and memory of the broker's processes, from /proc. A process that is gone counts nothing. */
#define _GNU_SOURCE
#include "mqload.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/** Seconds of user and system time of one process: fields 14 and 15 of /proc/PID/stat, counted after the name, which may
 * itself hold spaces and brackets. */
static double cpu_seconds(int pid) {
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
  for (int i = 0; i < options.pid_count; i++) total += cpu_seconds(options.pids[i]);
  return total;
}

long broker_rss_kilobytes(void) {
  long total = 0;
  for (int i = 0; i < options.pid_count; i++) total += rss_kilobytes(options.pids[i]);
  return total;
}
