// libvips for Swift, which cannot call functions of a variable number of arguments. Options are
// written here and nowhere else; what to do with a picture is decided in Swift.
#ifndef CVIPS_SHIM_H
#define CVIPS_SHIM_H

#include <stdbool.h>
#include <vips/vips.h>

/// One thread, nothing kept, and of all loaders only those of the four types, so that no other
/// codec is ever given a byte. vips_init(3) allows all of them at first.
static inline bool cvips_start(const char *program) {
    if (vips_init(program) != 0) return false;
    vips_concurrency_set(1);
    vips_cache_set_max(0);
    vips_block_untrusted_set(TRUE);
    vips_operation_block_set("VipsForeignLoad", TRUE);
    vips_operation_block_set("VipsForeignLoadJpeg", FALSE);
    vips_operation_block_set("VipsForeignLoadPng", FALSE);
    vips_operation_block_set("VipsForeignLoadWebp", FALSE);
    vips_operation_block_set("VipsForeignLoadNsgif", FALSE);
    return true;
}

/// What a file says of itself.
typedef struct {
    int width;
    /// Of one page.
    int height;
    int pages;
} cvips_header;

/// Reads the beginning only; no pixel is decoded. False for what none of the loaders takes.
static inline bool cvips_read_header(const void *bytes, size_t count, cvips_header *header) {
    VipsImage *image = vips_image_new_from_buffer(
        bytes, count, "", "access", VIPS_ACCESS_SEQUENTIAL, "fail_on", VIPS_FAIL_ON_ERROR, NULL);
    if (image == NULL) return false;
    header->width = vips_image_get_width(image);
    header->height = vips_image_get_height(image);
    header->pages = vips_image_get_n_pages(image);
    g_object_unref(image);
    return true;
}

/// The picture upright, in sRGB, shrunk to fit the box where it is larger; decoded as it is read.
///
/// @param options of the loader, such as "[n=-1]" for every page.
/// @return a reference to give back, or NULL.
static inline VipsImage *cvips_fit(
    const void *bytes, size_t count, const char *options, int width, int height) {
    VipsImage *image = NULL;
    vips_thumbnail_buffer(
        (void *)bytes, count, &image, width, "option_string", options, "height", height, "size",
        VIPS_SIZE_DOWN, "export_profile", "srgb", "fail_on", VIPS_FAIL_ON_ERROR, NULL);
    return image;
}

/// Takes everything off a picture that is not its pixels or its animation: places, names, profiles,
/// comments. "strip" of webpsave in 8.14 leaves EXIF and the profile.
static inline VipsImage *cvips_bare(VipsImage *image) {
    static const char *const kept[] = {
        "page-height", "n-pages", "delay", "loop", "vips-sequential", NULL};
    VipsImage *bare = NULL;
    if (vips_copy(image, &bare, NULL) != 0) return NULL;
    gchar **names = vips_image_get_fields(bare);
    for (int i = 0; names[i] != NULL; i++) {
        // False for what every image has, such as its width.
        if (!g_strv_contains(kept, names[i])) vips_image_remove(bare, names[i]);
    }
    g_strfreev(names);
    return bare;
}

/// The picture as WebP, to be given back by g_free; NULL also where a part of it could not be
/// decoded: the caches between decoder and encoder go on then, with black, and only the error
/// buffer tells.
static inline void *cvips_webp(VipsImage *image, int quality, int effort, size_t *count) {
    void *bytes = NULL;
    VipsImage *bare = cvips_bare(image);
    if (bare == NULL) return NULL;
    int code = vips_webpsave_buffer(
        bare, &bytes, count, "Q", quality, "effort", effort, "strip", TRUE, NULL);
    g_object_unref(bare);
    if (code == 0 && vips_error_buffer()[0] == 0) return bytes;
    g_free(bytes);
    return NULL;
}

static inline int cvips_page_height(VipsImage *image) {
    return vips_image_get_page_height(image);
}

static inline void cvips_release(VipsImage *image) {
    g_object_unref(image);
}

#endif
