import Glibc

/// A folder on disk. Any thread.
struct Folder: Sendable {
    let path: String

    /// Changes whenever the file does, or another one is put in its place.
    struct Stamp: Equatable, Sendable {
        fileprivate let device: UInt64
        fileprivate let file: UInt64
        fileprivate let size: Int64
        fileprivate let modified: [Int]
    }

    /// The names in it that end like this and are not hidden, sorted. Throws if there are more than
    /// `countMax`.
    func names(
        endingIn suffix: String, countMax: Int
    ) throws(TextFileError) -> [String] {
        guard let stream = unsafe opendir(path) else { throw .lastOfSystem }
        defer { _ = unsafe closedir(stream) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = unsafe readdir(stream) else {
                // A list that breaks off is none.
                if errno != 0 { throw .lastOfSystem }
                return names.sorted()
            }
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard name.hasSuffix(suffix), !name.hasPrefix(".") else { continue }
            if names.count == countMax { throw .system("it has more than \(countMax) files") }
            names.append(name)
        }
    }

    func stamp(of name: String) throws(TextFileError) -> Stamp {
        var found = stat()
        guard unsafe stat(path(of: name), &found) == 0 else { throw .lastOfSystem }
        guard found.st_mode & S_IFMT == S_IFREG else { throw .system("it is no regular file") }
        return Stamp(
            device: UInt64(found.st_dev), file: UInt64(found.st_ino), size: Int64(found.st_size),
            modified: [
                found.st_mtim.tv_sec, found.st_mtim.tv_nsec, found.st_ctim.tv_sec,
                found.st_ctim.tv_nsec,
            ])
    }

    func path(of name: String) -> String { path.hasSuffix("/") ? path + name : "\(path)/\(name)" }
}
