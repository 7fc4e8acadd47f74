#include <string.h>

#include <png.h>

// The library's simplified interface keeps its setjmp to itself. The macros that it consists of are
// not visible to Swift.

// Writes an image of one byte a pixel, 0 black and 1 white, as a PNG of one bit a pixel. The number
// of bytes that it has, which is more than `capacity` if they did not fit; 0 for no memory.
static inline size_t gm_png_write_bilevel(
    const unsigned char *pixels, unsigned side, unsigned char *target, size_t capacity)
{
    static const unsigned char colours[2] = {0, 255};
    png_image image;
    memset(&image, 0, sizeof image);
    image.version = PNG_IMAGE_VERSION;
    image.width = side;
    image.height = side;
    image.format = PNG_FORMAT_GRAY | PNG_FORMAT_FLAG_COLORMAP;
    image.colormap_entries = 2;
    size_t bytes = capacity;
    int written = png_image_write_to_memory(&image, target, &bytes, 0, pixels, 0, colours);
    int needs_room = !written && bytes > capacity;
    png_image_free(&image);
    return written || needs_room ? bytes : 0;
}
