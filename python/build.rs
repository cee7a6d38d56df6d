//! On macOS a Python module is linked without Python, whose names it finds when it is loaded; the linker has to be told.

fn main() {
    pyo3_build_config::add_extension_module_link_args();
}
