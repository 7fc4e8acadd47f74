import Glibc

/// The pages behind a mapping of a file.
///
/// File systems that keep large folios in the page cache (XFS, ext4 since Linux 6.16) keep what was
/// written in pieces of ``largeBytes``, from one multiple of it to the next, in pieces of that size
/// where memory allows. A mapping then has one entry of the page table for each piece instead of
/// 512: it is made in a hundredth of the time, and a look-up anywhere in it finds its page sooner.
package enum MappedPages {
    /// What an entry of the second level of the page table covers.
    package static let largeBytes = 2 << 20

    /// How the pages will be used.
    enum Use {
        case read
        /// Also dirties them: no first store then waits for the kernel.
        case write
    }

    /// Has all pages in memory and in the page table now, so that no later access waits for one;
    /// what has to be read is read in large pieces.
    ///
    /// A kernel that can do neither (before Linux 5.14) leaves them to their first access.
    static func populate(_ address: UnsafeMutableRawPointer, bytes: Int, _ use: Use) {
        // MADV_POPULATE_READ and MADV_POPULATE_WRITE of madvise(2), younger than some C libraries.
        let populate: Int32 = use == .read ? 22 : 23
        _ = madvise(address, bytes, Int32(MADV_HUGEPAGE))
        _ = madvise(address, bytes, populate)
    }
}
