import Foundation

/// The open files of the process that runs the tests.
enum OpenFiles {
    /// No more than tests need, wherever the hard limit is.
    private static let wanted = rlim_t(20_000)

    static func raiseLimit() {
        var limit = rlimit()
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard unsafe getrlimit(resource, &limit) == 0, limit.rlim_cur < wanted else { return }
        limit.rlim_cur = min(limit.rlim_max, wanted)
        unsafe setrlimit(resource, &limit)
    }
}
