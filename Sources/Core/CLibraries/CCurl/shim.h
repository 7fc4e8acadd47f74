// libcurl for Swift, which cannot call functions of a variable number of arguments: one function a
// kind of argument.
#ifndef CCURL_SHIM_H
#define CCURL_SHIM_H

#include <curl/curl.h>
#include <stdio.h>

static inline CURLcode ccurl_set_text(CURL *curl, CURLoption option, const char *value) {
    return curl_easy_setopt(curl, option, value);
}

static inline CURLcode ccurl_set_number(CURL *curl, CURLoption option, long value) {
    return curl_easy_setopt(curl, option, value);
}

static inline CURLcode ccurl_set_size(CURL *curl, CURLoption option, curl_off_t value) {
    return curl_easy_setopt(curl, option, value);
}

static inline CURLcode ccurl_set_lines(CURL *curl, struct curl_slist *lines) {
    return curl_easy_setopt(curl, CURLOPT_HTTPHEADER, lines);
}

/// Bodies go from and to these by fread and fwrite, libcurl's defaults.
static inline CURLcode ccurl_set_files(CURL *curl, FILE *source, FILE *target) {
    CURLcode code = curl_easy_setopt(curl, CURLOPT_READDATA, (void *)source);
    if (code != CURLE_OK) return code;
    return curl_easy_setopt(curl, CURLOPT_WRITEDATA, (void *)target);
}

static inline CURLcode ccurl_set_message(CURL *curl, char *message) {
    return curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, message);
}

static inline long ccurl_status(CURL *curl) {
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

#endif
