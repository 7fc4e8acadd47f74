// The spool: clicks on their way from Edge's memory to the ledger. This comment is the
// specification of format version 2, which is written, and of version 1, which is still read;
// `Tests/SpoolTests/Golden` keeps a file of each for ever.
//
// FOLDER   <spool dir>/<edge id>/
//   edge.lock          flock(2)ed by the one Edge that writes here. Its text is the largest start
//                      ever used, so that names rise although the clock stepped back.
//   ingest.lock        flock(2)ed by the one Ingest that reads here.
//   <worker>-<start>-<sequence>.clicks      a segment: 4, 16 and 10 decimal digits
//   quarantine/        what could not be taken up, kept for a person; see Quarantine.swift
//   An edge id is 1 to 64 of [A-Za-z0-9._-] and does not begin with a dot.
//
// WHO MAY  One worker thread writes a segment, by appending. A name is used once (O_EXCL). Only
//   Ingest deletes, with one exception: a segment that never held a whole frame is taken back by
//   its writer, or a disk that stays full for a night would collect 10 empty files a second.
//   Worker 9,999 is nobody's: `Ingest requeue` renames whole segments of quarantined records to
//   names of it, whose <start> is before 2001. They are closed, and close no others.
//   <start> is microseconds since 1970 when the Edge process opened the folder, or one more than
//   any start before it; <sequence> counts a worker's segments within the process, from 1. So a
//   segment is closed when one exists of the same worker with a later (start, sequence), or one of
//   any worker with a later start: a new Edge holds the lock, so the old one is dead.
//
// LIMITS   worker          0 … 9,999
//          start           < 10^16 µs, until the year 2286
//          sequence        < 10^10: ten segments a second for 31 years
//          segment         64 MiB by default, at most 1 GiB (offsets are 32 bits wide)
//          frame payload   1 MiB by default, at most 16 MiB
//          record          64 … 1,648 bytes; 101 on average with all texts, `scripts/bench ingest`.
//                          A frame of 1 MiB holds 636 … 16,384 clicks, a segment of 64 MiB with
//                          that average some 660,000
//          texts           numbered ones of a segment that may still be meant: 2 MiB, 65,536
//
// All numbers are little-endian. Nothing is aligned. CRC is CRC-32C.
//
// SEGMENT  header, then frames without a gap
//   0    8  magic "GGMSPOOL"
//   8    2  version, 2
//   10   2  header bytes, 128
//   12   2  worker
//   14   2  bytes of the edge id
//   16   8  start, µs since 1970
//   24   8  sequence
//   32  64  edge id, then zeros
//   96  28  zeros
//   124  4  CRC of the 124 bytes before
//   Every later version keeps the magic, the version and the CRC where they are, so that this one
//   can refuse it by name.
//
// FRAME    all clicks of one turn of a worker's loop, written by one write(2)
//   0    4  magic "GGF2": the version again, for the day on which a segment's header is damaged
//   4    4  payload bytes, 1 … 16 MiB
//   8    4  record count, at least 1
//   12   4  CRC of the payload
//   16   4  the smallest text number that may be meant from here on
//   20   4  zeros
//   24   4  offset of this frame in its segment
//   28   4  CRC of the 28 bytes before, so that a damaged length is noticed before it is used
//   32      payload: the records without a gap
//
// RECORD
//   0   16  click id             48  4  user agent, a text      60  1  verdict
//   16  16  gonggu id            52  4  referer, a text         61  1  path
//   32   8  time, µs since 1970  56  2  rule set                62  1  what follows, bits
//   40   8  visitor key          58  2  reason                  63  1  bytes of the channel
//   64      in this order, what there is of it:
//           address, 4 bytes of IPv4, or 16 with bit 0
//           user id, 16 bytes, with bit 1; else nobody was signed in
//           requests the record stands for, 4 bytes, with bit 2; else 1
//           the user agent's length, 2 bytes, and bytes, where its text begins with its bytes
//           the referer's, in the same way
//           the channel
//   A 16-byte value is its more significant word, then the other, each little-endian.
//
// TEXT     User agents and referers are most of what there is to write, and repeat. So a text is
//   0               none;
//   n < 2³¹         the one that an earlier record of this segment has numbered n;
//   2³¹ + n         its bytes are in this record, and from now on n means them;
//   2³¹             its bytes are in this record, and it has no number.
//   A number is larger than all that were given or meant before it. From a frame on whose
//   smallest number is another than that of the frame before, all earlier numbers mean nothing:
//   so a reader need keep little, and a damaged frame costs later clicks a text for 8 MiB at
//   most. A number whose text was in a damaged frame is no fault of the record that has it:
//   the click counts, its text is unknown.
//
// WRITTEN BEFORE, version 1: frames of magic "GGF1" with the time of their first record in bytes 16
//   to 23, and records of
//   0   16  click id             32  8  time, µs since 1970     84  2  rule set
//   16  16  gonggu id            40  8  visitor key             86  2  reason
//   48  16  user id, or zeros    80  4  requests it stands for  88  1  verdict
//   64  16  address              90  2  bytes of the user agent 89  1  path
//   92   2  bytes of the referer 94  2  bytes of the channel
//   96      the user agent, the referer, the channel
//
// WRITING  A frame's clicks are answered only after its write(2) has returned. When a write or an
//   fdatasync fails the segment is abandoned and another begun: what follows the last whole frame
//   of an abandoned segment was never answered.
//
// READING  A frame counts when it is whole and everything in it is right: both checksums, its own
//   offset, each record's numbers and lengths, the payload used up exactly. Otherwise:
//   - it reaches past the end of an open segment: wait, it may still grow;
//   - it reaches past the end of a closed one: torn, never answered (or, after a power loss, lost
//     by the choice of EDGE_FSYNC), skipped;
//   - the header is right and the rest is not: that frame is damaged, the next follows it;
//   - the header is wrong: damaged up to the next place where a header is right and its payload's
//     checksum too. A client's text never passes for a frame there: a frame has its own offset in
//     its header, and bytes 0, which the texts that Edge takes cannot have.
//   A damaged segment header loses nothing but itself. A version other than 1 and 2 is refused,
//   and so is a segment whose header names another segment than its file does.

import Clicks

/// Numbers of the format that both sides use.
@usableFromInline
package enum SpoolFormat {
    package static let version: UInt16 = 2
    static let firstVersion: UInt16 = 1
    static let segmentMagic: UInt64 = 0x4C4F_4F50_534D_4747  // "GGMSPOOL"
    package static let segmentHeaderBytes = 128
    static let frameMagic: UInt32 = 0x3246_4747  // "GGF2"
    static let firstFrameMagic: UInt32 = 0x3146_4747  // "GGF1"
    package static let frameHeaderBytes = 32
    package static let payloadBytesMax = 16 << 20
    package static let segmentBytesMax = 1 << 30
    @inlinable
    static var recordFixedBytes: Int { 64 }
    static let firstRecordFixedBytes = 96
    /// The fixed part, what may follow it, and three texts at their bounds. In figures, since a sum
    /// of other modules' constants would be looked up each time.
    static var recordBytesMax: Int { 64 + 16 + 16 + 4 + 2 + 512 + 2 + 1000 + 32 }
    /// Of the texts of a segment that have numbers which may still be meant.
    static let textBytesMax = 2 << 20
    static let textCountMax = 65_536
    /// After so many bytes of a segment its writer numbers texts anew.
    static let textSpanBytes = 8 << 20
    package static let edgeIDBytesMax = 64
    static let workerMax = 9_999
    static let startMicrosMax: Int64 = 9_999_999_999_999_999
    static let sequenceMax: Int64 = 9_999_999_999
}

extension UnsafeRawBufferPointer {
    /// The little-endian number at an offset. The caller has made sure that it lies within the
    /// buffer: only debug builds, and so the tests, trap where it does not.
    @inline(always)
    func number<Number: FixedWidthInteger & BitwiseCopyable>(
        at offset: Int, as: Number.Type = Number.self
    ) -> Number {
        Number(littleEndian: loadUnaligned(fromByteOffset: offset, as: Number.self))
    }

    /// The part from an offset, which lies within the buffer: as above.
    @inline(always)
    func part(at offset: Int, count: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: self[offset..<offset + count])
    }
}

extension UnsafeMutableRawPointer {
    @inlinable
    @inline(always)
    func store(_ number: some FixedWidthInteger & BitwiseCopyable, at offset: Int) {
        storeBytes(of: number.littleEndian, toByteOffset: offset, as: type(of: number))
    }
}
