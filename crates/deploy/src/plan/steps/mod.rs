//! The steps of a deployment, in their order.

mod apache;
mod config;
mod copy;
mod folders;
mod setup;
mod site;
mod virtualenv;
mod visit;

pub use apache::{Configtest, Modules, Port, Reload};
pub use config::{Generated, MakeIni};
pub use copy::CopyProject;
pub use folders::{Folder, Folders};
pub use setup::{Setup, SetupKind};
pub use site::Site;
pub use virtualenv::{Application, Baseline};
pub use visit::{Address, Visit, Watch};
