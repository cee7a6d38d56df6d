//! `soli train`: a recipe and a data set in, a run folder out.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Args;
use soli::vocab::Vocabulary;
use soli::weights::Precision;

use super::export;
use crate::backbone;
use crate::config::Recipe;
use crate::data::batches::tokenise;
use crate::data::{Dataset, Split, tokens};
use crate::parameters::Parameters;
use crate::stages::captions::{self, Inputs};

/// Train a captioner; goes on where an earlier run in the same folder stopped.
#[derive(Debug, Args)]
pub struct Train {
    /// The recipe (TOML).
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The captioned pictures: a folder or captions file in Kaggle's or the original Flickr8k, Karpathy's or COCO's layout.
    #[arg(long, value_name = "PATH")]
    data: PathBuf,
    /// The pretrained EfficientNet-Lite0; looked for beside the data (../backbone) when not given. `none` starts from
    /// random numbers, which needs far more pictures.
    #[arg(long, value_name = "FILE")]
    backbone: Option<PathBuf>,
    /// Where the run is kept; runs/NAME-OF-THE-RECIPE when not given.
    #[arg(long, value_name = "FOLDER")]
    run: Option<PathBuf>,
    /// Use only the first N training pictures: to try a recipe out.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

impl Train {
    /// Runs the verb.
    ///
    /// # Errors
    /// With what is wrong and what to do.
    pub fn run(self) -> Result<()> {
        let mut recipe = Recipe::load(&self.config)?;
        let run = self
            .run
            .clone()
            .unwrap_or_else(|| Path::new("runs").join(self.config.file_stem().unwrap_or("run".as_ref())));
        std::fs::create_dir_all(&run).with_context(|| format!("cannot make the folder {}", run.display()))?;
        let Dataset { mut examples, mut report } = Dataset::open(&self.data, Split::Train)?;
        eprintln!("{report}");
        if let Some(limit) = self.limit {
            examples.truncate(limit.max(1));
        }
        let words =
            tokens::build_vocabulary(examples.iter().flat_map(|e| &e.captions), recipe.min_word_count);
        let vocabulary = Vocabulary::new(words)?;
        recipe.model.decoder.vocab_size = vocabulary.len();
        recipe.model.validate()?;
        let dev = match Dataset::open(&self.data, Split::Dev) {
            Ok(dev) => dev.examples,
            Err(why) => {
                eprintln!("no dev scores will be measured: {why}");
                Vec::new()
            }
        };
        std::fs::write(run.join("config.toml"), toml::to_string(&recipe)?)?;
        let train = Arc::new(tokenise(examples, &vocabulary));
        eprintln!("{} pictures, {} words, run folder {}", train.len(), vocabulary.len(), run.display());
        let parameters = Parameters::new(recipe.seed);
        soli::model::Model::new(parameters.builder(), &recipe.model, soli::encoder::Form::Training)?;
        let backbone = self.backbone_path();
        if backbone != Path::new("none") {
            parameters.load(&backbone::load(&backbone)?)?;
        }
        let inputs = Inputs { train, dev, vocabulary };
        captions::train(&recipe, &inputs, &parameters, &run, &mut report)?;
        export::write(&export::weights_of(&run)?, Precision::Int8, &run.join("soli.safetensors"))?;
        if !report.is_clean() {
            eprintln!("{report}");
        }
        Ok(())
    }

    fn backbone_path(&self) -> PathBuf {
        const FILE: &str = "efficientnet-lite0.safetensors";
        let beside = self.data.join("../backbone").join(FILE);
        match &self.backbone {
            Some(path) => path.clone(),
            None if beside.is_file() => beside,
            None => Path::new("runs/backbone").join(FILE),
        }
    }
}
