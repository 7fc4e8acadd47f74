import CPrefetch

/// Memory on its way: a look-up in a table of millions waits some 100 ns for its line unless it was
/// asked for while there was other work.
public enum CacheLine {
    @inlinable
    public static var bytes: Int { 64 }

    /// Has the line of an address fetched, and goes on. Any address will do.
    @inlinable
    @inline(always)
    public static func fetch(_ address: UnsafeRawPointer) {
        cprefetch(address)
    }
}
