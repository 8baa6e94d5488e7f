internal import CLibevent
internal import Glibc

/// Keeps what libevent frees, by size, for its next request.
///
/// evhttp 2.1.12 allocates and frees some forty pieces per request. glibc keeps seven of a size per
/// thread at hand; a turn of 64 requests goes past that into its shared lists, and there it
/// searches among the holes that a large registry leaves: a quarter of the time of a renewal with
/// 500,000 instances. Pieces kept here never mix with the registry's.
///
/// Process-wide, and not in debug builds: a kept piece would hide a use after free from
/// AddressSanitizer.
enum LibeventMemory {
    /// Before anything else of libevent is called. Any thread, any number of times.
    static func install() { _ = isInstalled }

    private static let isInstalled: Bool = {
        #if !DEBUG
        unsafe event_set_mem_functions(allocate, reallocate, release)
        #endif
        return true
    }()

    /// The pieces kept by the calling thread; made at its first call, freed when it ends.
    fileprivate static let key: pthread_key_t = {
        var key = pthread_key_t()
        let status = unsafe pthread_key_create(&key, dropPieces)
        precondition(status == 0, "no thread-specific key: errno \(status)")
        return key
    }()
}

/// Lists of free pieces by size, one set per thread. The pieces are malloc's own, so they may be
/// freed by any other means too. Owned by the thread; freed by `close`.
@safe struct PieceLists {
    /// Sizes are rounded up to this, as malloc does.
    static let step = 16
    /// Larger pieces are bodies and buffers of bodies: malloc's business.
    static let sizeMax = 4096
    /// Pieces of one size that are kept: the headers of 10,000 requests held and let go at once
    /// would otherwise stay for ever.
    static let countMax = 1024
    /// Bytes of one size that are kept: all sizes together, 64 MB at the very most.
    static let bytesMax = 256 * 1024

    @safe private struct List {
        var first: UnsafeMutableRawPointer?
        var count = 0
    }

    private let lists: UnsafeMutablePointer<List>
    private static let listCount = sizeMax / step + 1

    init() {
        unsafe lists = .allocate(capacity: Self.listCount)
        unsafe lists.initialize(repeating: List(), count: Self.listCount)
    }

    /// At least `size` bytes, aligned to 16; nil when memory has run out.
    func allocate(_ size: Int) -> UnsafeMutableRawPointer? {
        let index = (size + Self.step - 1) / Self.step
        if index < Self.listCount, let piece = unsafe lists[index].first {
            // A free piece begins with the address of the next one.
            unsafe lists[index].first = piece.load(as: UnsafeMutableRawPointer?.self)
            unsafe lists[index].count -= 1
            return unsafe piece
        }
        return unsafe malloc(max(index, 1) * Self.step)
    }

    func release(_ piece: UnsafeMutableRawPointer) {
        // Rounded down: a piece may be larger than its list promises, never smaller.
        let index = unsafe malloc_usable_size(piece) / Self.step
        guard index > 0, index < Self.listCount,
            unsafe lists[index].count < min(Self.countMax, Self.bytesMax / (index * Self.step))
        else {
            unsafe free(piece)
            return
        }
        unsafe piece.storeBytes(of: lists[index].first, as: UnsafeMutableRawPointer?.self)
        unsafe lists[index].first = piece
        unsafe lists[index].count += 1
    }

    /// How many pieces of this size are kept. For tests.
    func count(of size: Int) -> Int {
        unsafe lists[(size + Self.step - 1) / Self.step].count
    }

    func close() {
        for index in 0..<Self.listCount {
            while let piece = unsafe lists[index].first {
                unsafe lists[index].first = piece.load(as: UnsafeMutableRawPointer?.self)
                unsafe free(piece)
            }
        }
        unsafe lists.deallocate()
    }

    /// The address of the lists, to be kept where C keeps it.
    fileprivate var address: UnsafeMutableRawPointer { unsafe UnsafeMutableRawPointer(lists) }

    fileprivate init(address: UnsafeMutableRawPointer) {
        unsafe lists = address.assumingMemoryBound(to: List.self)
    }

    @inline(__always)
    fileprivate static var ofThread: PieceLists {
        if let address = unsafe pthread_getspecific(LibeventMemory.key) {
            return unsafe PieceLists(address: address)
        }
        let lists = PieceLists()
        unsafe pthread_setspecific(LibeventMemory.key, lists.address)
        return lists
    }
}

private func allocate(_ size: Int) -> UnsafeMutableRawPointer? {
    unsafe PieceLists.ofThread.allocate(size)
}

/// The pieces are malloc's, so its own realloc will do.
private func reallocate(
    _ piece: UnsafeMutableRawPointer?, _ size: Int
) -> UnsafeMutableRawPointer? {
    unsafe realloc(piece, size)
}

private func release(_ piece: UnsafeMutableRawPointer?) {
    guard let piece = unsafe piece else { return }
    unsafe PieceLists.ofThread.release(piece)
}

private func dropPieces(_ address: UnsafeMutableRawPointer?) {
    guard let address = unsafe address else { return }
    unsafe PieceLists(address: address).close()
}
