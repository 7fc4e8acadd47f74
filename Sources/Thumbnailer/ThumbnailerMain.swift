import CVips
import Glibc
import Linux

// Makes two WebP files of one image: what a stranger has sent, made again from its pixels, so that
// nothing else of it is left, and a small one beside it. One process an image, started by the API:
// whatever a file does to a decoder, it does to this process alone.
//
//   standard input   the image; a file that can be mapped
//   standard output  one line: `made W H`, or why not: `unreadable …` or `pixels`
//   3, 4             take the picture and its thumbnail, empty files at first
//
// It exits with 0 whenever it has said its line. No address, no name and no setting of the service
// is known to it, and it opens nothing.

/// What is made of a picture.
enum Sizes {
    /// Width times height of all pages. Known from the header, before any pixel is decoded.
    static let pixelsMax = 50_000_000
    /// Wider pictures are shrunk to it: twice the widest column that shops show.
    static let widthMax = 4096
    /// WebP has no more (16,383); pictures of goods are narrow and very tall.
    static let heightMax = 16_383
    static let thumbnailSide = 480
    static let quality = 80
    /// libwebp's scale of 0 to 6; 4 is its default.
    static let effort: Int32 = 4
    /// An animation is encoded frame by frame, several times over.
    static let animationEffort: Int32 = 1
}

enum Bounds {
    /// A transparent picture of 48 megapixels, decoded and in libwebp's planes, had 1.2 GB in use.
    static let addressBytes = 2 << 30
    static let processorSeconds = 40
    static let fileBytes = 64 << 20
}

@main
struct ThumbnailerMain {
    static func main() {
        do throws(SystemError) {
            try Confinement.apply(
                addressBytes: Bounds.addressBytes, processorSeconds: Bounds.processorSeconds,
                fileBytes: Bounds.fileBytes)
        } catch {
            end(saying: "unready \(error)", code: 1)
        }
        guard cvips_start("Thumbnailer") else { end(saying: "unready \(complaint)", code: 1) }
        guard let bytes = input() else { end(saying: "unready nothing to read", code: 1) }
        end(saying: convert(bytes), code: 0)
    }

    /// Standard input, mapped; nil if it is empty or no file.
    private static func input() -> UnsafeRawBufferPointer? {
        var status = stat()
        guard fstat(STDIN_FILENO, &status) == 0, status.st_size > 0 else { return nil }
        let count = Int(status.st_size)
        guard let address = mmap(nil, count, PROT_READ, MAP_PRIVATE, STDIN_FILENO, 0),
            address != MAP_FAILED
        else { return nil }
        // Never unmapped: the process ends with its one image.
        return UnsafeRawBufferPointer(start: address, count: count)
    }

    private static func convert(_ bytes: UnsafeRawBufferPointer) -> String {
        guard FileEnd.isReached(in: bytes) else { return "unreadable it ends too early" }
        var header = cvips_header()
        guard cvips_read_header(bytes.baseAddress, bytes.count, &header) else {
            return "unreadable \(complaint)"
        }
        let pages = max(1, Int(header.pages))
        // Each factor is at most 2^31, and 2^31 pages of a pixel are over as well.
        let (area, isHuge) = (Int(header.width) * Int(header.height))
            .multipliedReportingOverflow(by: pages)
        guard !isHuge, area <= Sizes.pixelsMax else { return "pixels" }
        let options = pages > 1 ? "[n=-1]" : ""
        guard
            let size = write(
                bytes, options, width: Sizes.widthMax, height: Sizes.heightMax, to: 3,
                effort: pages > 1 ? Sizes.animationEffort : Sizes.effort),
            // Of an animation the first frame.
            write(
                bytes, "", width: Sizes.thumbnailSide, height: Sizes.thumbnailSide, to: 4,
                effort: Sizes.effort) != nil
        else { return "unreadable \(complaint)" }
        return "made \(size.width) \(size.height)"
    }

    private static func write(
        _ bytes: UnsafeRawBufferPointer, _ options: String, width: Int, height: Int,
        to descriptor: Int32, effort: Int32
    ) -> (width: Int, height: Int)? {
        let fitted = cvips_fit(
            bytes.baseAddress, bytes.count, options, Int32(width), Int32(height))
        guard let image = fitted else { return nil }
        defer { cvips_release(image) }
        let size = (Int(vips_image_get_width(image)), Int(cvips_page_height(image)))
        var count = 0
        // Not given back: the process ends with its one image.
        guard let made = cvips_webp(image, Int32(Sizes.quality), effort, &count),
            let parts = WebPParts(UnsafeRawBufferPointer(start: made, count: count))
        else { return nil }
        return parts.write(to: descriptor) ? size : nil
    }

    /// libvips's words, on one line.
    private static var complaint: String {
        String(cString: vips_error_buffer()).split(whereSeparator: \.isNewline)
            .joined(separator: "; ")
    }

    /// The line goes out in one write and the process ends without the libraries' own farewells,
    /// which cost more than they are worth here.
    private static func end(saying line: String, code: Int32) -> Never {
        let bytes = Array((line.prefix(400) + "\n").utf8)
        _ = bytes.withUnsafeBytes { Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
        _exit(code)
    }
}
