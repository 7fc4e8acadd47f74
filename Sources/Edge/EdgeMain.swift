@main
enum EdgeMain {
    static func main() {}
}
