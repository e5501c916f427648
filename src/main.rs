fn main() -> std::process::ExitCode {
    minibit::cli::main()
}
