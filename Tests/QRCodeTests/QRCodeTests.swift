import Foundation
import QRCode
import Testing
import TestSupport

/// What is drawn is read again by zbar, which shares no line with libqrencode.
@Suite struct QRCodeTests {
    private let link = "https://go.gonggumoa.example/go/k7m2x9pa?ch=qr"

    /// What zbarimg reads in a picture; empty if it finds nothing.
    private func read(_ bytes: [UInt8], in folder: TestFolder) throws -> String {
        let path = folder.path + "/code.png"
        try Data(bytes).write(to: URL(filePath: path))
        let log = folder.path + "/log-\(UInt64.random(in: .min ... .max))"
        let process = try ChildProcess(
            "zbarimg",
            ["--nodbus", "--quiet", "--raw", "--oneshot", "-Sdisable", "-Sqr.enable", path],
            logPath: log)
        process.wait()
        return process.log
    }

    @Test func `a reader finds the text in the PNG, at every size`() throws {
        let folder = try TestFolder()
        let code = try QRCode(link)
        for size in [200, 257, 512, 1024] {
            let png = try code.png(sizePixels: size)
            #expect(try read(png, in: folder) == link, "\(size)")
            // IHDR: the size, then one bit a pixel.
            #expect(Array(png[1..<4]) == Array("PNG".utf8))
            let width = png[16..<20].reduce(0) { $0 << 8 | Int($1) }
            #expect(width == size && png[24] == 1, "\(size)")
        }
    }

    @Test func `a reader finds the longest text that fits, and one byte more is refused`() throws {
        let folder = try TestFolder()
        let longest = String((0..<2331).map { _ in "abcdefghijkmnpqrstuvwxyz".randomElement()! })
        let code = try QRCode(longest)
        #expect(code.side == 177)
        #expect(try read(code.png(sizePixels: 1024), in: folder) == longest)
        _ = try code.png(sizePixels: QRCode.pngSizes.lowerBound)
        #expect(throws: QRCodeError.self) { try QRCode(longest + "a") }
        #expect(throws: QRCodeError.self) { try QRCode("") }
        #expect(throws: QRCodeError.self) { try QRCode("a\0b") }
    }

    @Test func `the SVG has the same squares as the code`() throws {
        let code = try QRCode(link)
        let svg = code.svg(sizePixels: 300)
        let whole = code.side + 8
        #expect(svg.contains("width=\"300\" height=\"300\" viewBox=\"0 0 \(whole) \(whole)\""))
        var drawn: Set<[Int]> = []
        for run in svg.matches(of: /M([0-9]+) ([0-9]+)h([0-9]+)v1h-([0-9]+)z/) {
            let (x, y, width) = (Int(run.1)!, Int(run.2)!, Int(run.3)!)
            #expect(run.3 == run.4)
            for column in x..<x + width { #expect(drawn.insert([column, y]).inserted) }
        }
        for row in 0..<whole {
            for column in 0..<whole {
                let isDark = code.isDark(column: column - 4, row: row - 4)
                #expect(drawn.contains([column, row]) == isDark)
            }
        }
        // A finder pattern stands in three corners: a dark frame of seven.
        for (x, y) in [(0, 0), (code.side - 7, 0), (0, code.side - 7)] {
            for step in 0..<7 {
                #expect(code.isDark(column: x + step, row: y))
                #expect(code.isDark(column: x, row: y + step))
            }
        }
    }
}
